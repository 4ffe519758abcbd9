"""The trackers against the official ones, and what a user relies on besides."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masa_core.structures import Detections
from masa_core.tracking import Tracker, TrackerConfig
from masa_core.tracking.association import box_iou, greedy, overlaps_better

GOLDEN = Path(__file__).parent.parent / "data" / "golden" / "tracker_seq0.npz"


@pytest.fixture(scope="module")
def golden() -> dict[str, Any]:
    with np.load(GOLDEN, allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def frames(golden: dict[str, Any]) -> Iterator[tuple[Detections, np.ndarray]]:
    start = 0
    for count in golden["in.count"]:
        rows = slice(start, start + count)
        start += count
        columns = [golden[f"in.{name}"][rows] for name in ("boxes", "scores", "labels")]
        yield Detections(*columns), golden["in.embeds"][rows]


@pytest.mark.parametrize(
    "run",
    [
        *["tao_pnp", "tao_bench", "tao_defaults"],
        *["bdd_bench", "bdd_defaults", "bdd_cats_cosine", "bdd_softmax"],
    ],
)
def test_equals_the_official_tracker(golden: dict[str, Any], run: str) -> None:
    preset = f"masa_{run.split('_')[0]}"
    tracker = Tracker(TrackerConfig.preset(preset, **json.loads(str(golden[f"{run}.cfg"]))))
    found = []
    for index, (detections, embeddings) in enumerate(frames(golden)):
        tracks = tracker.update(detections, embeddings, index * 40_000_000)
        assert len(tracks) == golden[f"{run}.count"][index], f"frame {index}"
        assert len(tracker.memory) == golden[f"{run}.n_alive"][index], f"frame {index}"
        found.append(tracks)
    for name in ("ids", "boxes", "scores", "labels"):
        rows = np.concatenate([getattr(tracks, name) for tracks in found])
        np.testing.assert_array_equal(rows, golden[f"{run}.{name}"], err_msg=name)


def one(x: float, score: float = 0.9, label: int = 0) -> Detections:
    return Detections([[x, 0, x + 10, 10]], [score], [label])


EMBEDDING = np.array([[4.0, 0.0, 0.0]], np.float32)


def test_tracks_tell_age_stamps_and_velocity() -> None:
    tracker = Tracker(TrackerConfig.preset("masa_tao"))
    first = tracker.update(one(0), EMBEDDING, 0)
    tracker.update(Detections.empty(), np.zeros((0, 3)), 500_000_000)
    second = tracker.update(one(20), EMBEDDING, 1_000_000_000)
    assert list(first.ages) == [1] and list(first.velocities[0]) == [0, 0]
    assert list(second.ids) == list(first.ids) and list(second.ages) == [3]
    assert (second.first_seen_ns[0], second.last_seen_ns[0]) == (0, 1_000_000_000)
    np.testing.assert_allclose(second.velocities, [[20, 0]])
    np.testing.assert_array_equal(second.embeddings, EMBEDDING)


def test_velocity_survives_equal_and_backward_stamps() -> None:
    tracker = Tracker(TrackerConfig.preset("masa_tao"))
    for x, stamp_ns in [(0, 0), (10, 1_000_000_000), (20, 1_000_000_000), (30, 900_000_000)]:
        tracks = tracker.update(one(x), EMBEDDING, stamp_ns)
    np.testing.assert_allclose(tracks.velocities, [[10, 0]])


def test_reset_starts_anew() -> None:
    tracker = Tracker(TrackerConfig.preset("masa_tao"))
    tracker.update(one(0), EMBEDDING, 0)
    tracker.reset()
    assert list(tracker.update(one(500), -EMBEDDING, 1).ids) == [0]
    assert len(tracker.memory) == 1


def test_a_new_configuration_counts_from_the_next_frame() -> None:
    tracker = Tracker(TrackerConfig.preset("masa_tao"))
    assert len(tracker.update(one(0, score=0.6), EMBEDDING, 0)) == 0
    tracker.config = TrackerConfig.preset("masa_tao", init_score_thr=0.5)
    assert len(tracker.update(one(0, score=0.6), EMBEDDING, 1)) == 1
    with pytest.raises(ValueError, match="masa_tao, not masa_bdd"):
        tracker.config = TrackerConfig.preset("masa_bdd")


@pytest.mark.parametrize(
    ("name", "overrides", "says"),
    [
        ("masa_toa", {}, "did you mean 'masa_tao'"),
        ("masa_tao", {"init_score": 0.5}, "did you mean 'init_score_thr'"),
        ("masa_tao", {"init_score_thr": 1.5}, "init_score_thr is 1.5, must be in 0.0..1.0"),
        ("masa_tao", {"init_score_thr": float("nan")}, "must be in"),
        ("masa_tao", {"init_score_thr": "high"}, "must be a number"),
        ("masa_tao", {"memo_tracklet_frames": 2.5}, "must be a whole number"),
        ("masa_tao", {"with_cats": 1}, "must be true or false"),
        ("masa_bdd", {"match_metric": "l2"}, "must be one of bisoftmax, softmax, cosine"),
    ],
)
def test_wrong_parameters_are_named(name: str, overrides: dict[str, Any], says: str) -> None:
    with pytest.raises(ValueError, match=says):
        TrackerConfig.preset(name, **overrides)


@pytest.mark.parametrize(
    ("embeddings", "says"),
    [
        (np.zeros((2, 3)), r"1 detections need embeddings of shape \(1, D\), got \(2, 3\)"),
        (np.full((1, 3), np.nan), "not a finite number"),
        (np.zeros((1, 4)), "embeddings have 4 values, earlier ones had 3"),
    ],
)
def test_wrong_embeddings_are_named(embeddings: np.ndarray, says: str) -> None:
    tracker = Tracker(TrackerConfig.preset("masa_tao"))
    tracker.update(one(0), EMBEDDING, 0)
    with pytest.raises(ValueError, match=says):
        tracker.update(one(0), embeddings, 1)


def test_memory_is_bounded_by_the_live_tracks() -> None:
    tracker = Tracker(TrackerConfig.preset("masa_tao", memo_tracklet_frames=5))
    looks = 30 * np.eye(50, dtype=np.float32)  # every frame shows another object
    for index in range(500):
        tracks = tracker.update(one(index), looks[[index % 50]], index)
    assert tracks.ids[0] == 499 and len(tracker.memory) == 5


boxes = st.lists(
    st.tuples(*[st.floats(-50, 50, width=32)] * 2, *[st.floats(0, 40, width=32)] * 2), max_size=12
).map(lambda rows: np.array([(x, y, x + w, y + h) for x, y, w, h in rows]).reshape(-1, 4))


@given(boxes, st.floats(0, 1, width=32))  # of the precision of the overlap itself
def test_duplicates_as_told_pair_by_pair(rows: np.ndarray, iou_thr: float) -> None:
    rows = rows.astype(np.float32)
    iou = box_iou(rows, rows)
    expected = [any(iou[i, j] > iou_thr for j in range(i)) for i in range(len(rows))]
    assert list(overlaps_better(rows, iou_thr)) == expected


@given(st.integers(0, 2**32 - 1), st.integers(0, 8), st.integers(0, 8))
def test_greedy_gives_every_column_once_and_rows_their_best(seed: int, n: int, m: int) -> None:
    generator = np.random.default_rng(seed)
    scores = generator.uniform(-1, 1, (n, m)).astype(np.float32)
    eligible = generator.uniform(size=n) < 0.8
    columns = greedy(scores, 0.3, eligible)
    taken: list[int] = []
    for row in range(n):
        free = [c for c in range(m) if c not in taken and eligible[row] and scores[row, c] > 0.3]
        expected = max(free, key=lambda c: scores[row, c], default=-1)
        assert columns[row] == expected
        taken.append(expected)
