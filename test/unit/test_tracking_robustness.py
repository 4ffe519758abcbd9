"""Whatever comes: ids are unique, memory is bounded, and every number is a number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masa_core.structures import Detections, TrackState
from masa_core.tracking import Tracker, TrackerConfig

SCENES = st.fixed_dictionaries(
    {
        "seed": st.integers(0, 2**32 - 1),
        # From frames with one stamp to gaps of a day, and stamps that go back.
        "gaps_s": st.lists(
            st.sampled_from([0.0, 1e-9, 1 / 30, 0.1, 1.0, 60.0, 86400.0, -0.5]),
            min_size=2,
            max_size=8,
        ),
        "most": st.integers(0, 8),
        "frame_px": st.sampled_from([4.0, 640.0, 10_000.0]),
        "camera": st.sampled_from(["still", "none", "wild"]),
        "alike": st.booleans(),
        "history_projection": st.booleans(),
    }
)


def boxes(random: np.random.Generator, count: int, frame_px: float) -> np.ndarray:
    """Any boxes: tiny, empty, as large as the frame, and beyond it."""
    corners = random.uniform(-0.5, 1.2, (count, 2)) * frame_px
    extent = frame_px * random.choice([0, 1e-4, 0.1, 1.5], (count, 2))
    return np.concatenate([corners, corners + extent], axis=1).astype(np.float32)


def camera_motion(random: np.random.Generator, kind: str) -> np.ndarray | None:
    if kind == "none":
        return None
    if kind == "still":
        return np.eye(2, 3)
    return np.eye(2, 3) * random.uniform(0.7, 1.4) + random.normal(0, 50, (2, 3)) * [0, 0, 1]


@settings(max_examples=40, deadline=None)
@given(SCENES)
def test_any_scene_is_borne(scene: dict) -> None:
    random = np.random.default_rng(scene["seed"])
    projection = scene["history_projection"]
    config = TrackerConfig.preset(
        "masa_plus", memory_s=90, coast_s=5, history_projection=projection, score_smoothing_s=0.5
    )
    tracker, stamp_ns, begun, all_ids = Tracker(config), 10**18, 0, set()
    for gap_s in scene["gaps_s"] * 3:
        stamp_ns += round(gap_s * 1e9)
        count = int(random.integers(0, scene["most"] + 1))
        seen = Detections(
            boxes(random, count, scene["frame_px"]),
            random.uniform(0, 1, count),
            random.integers(0, 3, count),
        )
        looks = random.standard_normal((count, 16)).astype(np.float32)
        if scene["alike"]:
            looks[:] = 0 if random.integers(2) else 1e6
        moved = camera_motion(random, scene["camera"])
        with np.errstate(invalid="raise", divide="raise", over="raise"):
            tracks = tracker.update(seen, looks, stamp_ns, moved)

        assert len(set(tracks.ids.tolist())) == len(tracks)
        new = set(tracks.ids.tolist()) - all_ids
        assert all(track >= begun for track in new), "an id was used again"
        all_ids |= new
        begun = max(all_ids, default=-1) + 1
        coasted = tracks.states == TrackState.COASTED
        assert (~coasted).sum() <= count
        assert not len(tracks) or np.isfinite(tracks.velocities).all()
        assert (
            np.isfinite(tracks.boxes).all() and (tracks.boxes[:, 2:] >= tracks.boxes[:, :2]).all()
        )
        assert ((tracks.scores >= 0) & (tracks.scores <= 1)).all()
        for name, column in vars(tracker.memory).items():
            assert len(column) == len(tracker.memory), name
            assert column.dtype == object or np.isfinite(column).all(), name
        # Tracks of longer ago than the memory lasts are gone.
        assert (stamp_ns - tracker.memory.last_ns <= 90 * 10**9).all()


@pytest.mark.parametrize("rate_hz", [30, 1])
def test_large_and_fast_objects_keep_their_ids(rate_hz: int) -> None:
    """Two that fill a third of the frame cross it in a second, or trade sides once a second."""
    tracker = Tracker(TrackerConfig.preset("masa_plus"))
    looks = 20 * np.eye(8, dtype=np.float32)[:2]
    for index in range(30):
        share = index / 30 if rate_hz == 30 else index % 2
        x = np.array([800 * share, 800 * (1 - share)])
        rows = np.stack([x, [40, 330], x + 400, [320, 610]], axis=1)
        seen = Detections(rows, [0.9, 0.8], [0, 0])
        tracks = tracker.update(seen, looks, round(index * 1e9 / rate_hz))
        shown = tracks[tracks.states != TrackState.COASTED]
        assert list(shown.ids) == [0, 1], f"frame {index}"


def test_a_smaller_picture_of_the_same_scene_keeps_the_ids() -> None:
    """The camera switches from 1280 to 640 px of width; its motion says so."""
    tracker = Tracker(TrackerConfig.preset("masa_plus", use_appearance=False))
    looks, scale = np.ones((3, 4), np.float32), 1.0
    for index in range(12):
        change = 0.5 if index == 6 else 1.0
        scale *= change
        x = 200.0 + 300 * np.arange(3) + 5 * index
        rows = scale * np.stack([x, [300] * 3, x + 80, [400] * 3], axis=1)
        seen = Detections(rows, [0.9, 0.8, 0.7], [0, 0, 0])
        tracks = tracker.update(seen, looks, index * 10**8, change * np.eye(2, 3))
        shown = tracks[tracks.states != TrackState.COASTED]
        assert list(shown.ids) == [0, 1, 2], f"frame {index}"


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from(["masa_plus", "masa_tao", "masa_bdd"]))
def test_detections_that_are_duplicates_need_no_embedding(seed: int, preset: str) -> None:
    random = np.random.default_rng(seed)
    given_all, given_some = (Tracker(TrackerConfig.preset(preset)) for _ in range(2))
    for frame in range(4):
        count = int(random.integers(0, 12))
        seen = Detections(
            boxes(random, count, 60.0), random.uniform(0, 1, count), np.zeros(count, np.int64)
        )
        looks = random.standard_normal((count, 8)).astype(np.float32)
        row_of = {tuple(box): row for row, box in enumerate(seen.boxes.tolist())}
        some = given_some.without_duplicates(seen)
        rows = [row_of[tuple(box)] for box in some.boxes.tolist()]
        expected = given_all.update(seen, looks, frame * 10**8)
        tracks = given_some.update(some, looks[rows], frame * 10**8)
        assert tracks.ids.tolist() == expected.ids.tolist()
        np.testing.assert_array_equal(tracks.boxes, expected.boxes)
