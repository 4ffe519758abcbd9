"""masa_plus: what the paper's limitations ask for, part by part."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masa_core.masks import encode_mask
from masa_core.structures import Detections, Tracks, TrackState
from masa_core.tracking import Tracker, TrackerConfig
from masa_core.tracking.assignment import assign

LOOKS = 20 * np.eye(8, dtype=np.float32)  # of objects that look entirely different
ALIKE = np.full((8, 8), 5, np.float32)  # of objects that look the same
NOTHING = np.zeros((0, 8), np.float32)


def plus(**overrides: Any) -> Tracker:
    return Tracker(TrackerConfig.preset("masa_plus", **overrides))


def squares(*places: tuple[float, float], score: float = 0.9, label: int = 0) -> Detections:
    boxes = np.array([(x, y, x + 40, y + 40) for x, y in places], np.float32).reshape(-1, 4)
    return Detections(boxes, np.full(len(boxes), score), np.full(len(boxes), label))


def ids_by_place(tracks: Tracks) -> dict[tuple[float, float], int]:
    return {(box[0], box[1]): track for box, track in zip(tracks.boxes, tracks.ids, strict=True)}


def ns(seconds: float) -> int:
    return round(seconds * 1e9)


def test_alike_objects_are_told_apart_by_motion() -> None:
    """Two that look the same pass each other, 30 times a second."""
    tracker = plus()
    for index in range(60):
        right, left = (100 + 5 * index, 100), (400 - 5 * index, 130)
        ids = ids_by_place(tracker.update(squares(right, left), ALIKE[:2], ns(index / 30)))
        assert ids[right] == 0 and ids[left] == 1, f"frame {index}"


def test_different_objects_are_told_apart_by_looks_at_a_low_rate() -> None:
    """Once a second, three objects trade places."""
    tracker = plus()
    places = [(100, 100), (300, 120), (500, 90)]
    for index in range(12):
        turned = places[index % 3 :] + places[: index % 3]
        ids = ids_by_place(tracker.update(squares(*turned), LOOKS[:3], ns(index)))
        assert [ids[place] for place in turned] == [0, 1, 2], f"frame {index}"


@pytest.mark.parametrize("rate_hz", [2, 10, 30])
def test_memory_is_in_seconds_whatever_the_rate(rate_hz: int) -> None:
    tracker = plus(memory_s=5)
    clock_s = 0.0

    def run(seconds: float, detections: Detections, looks: np.ndarray) -> Tracks:
        nonlocal clock_s
        for _ in range(round(seconds * rate_hz)):
            tracks = tracker.update(detections, looks, ns(clock_s))
            clock_s += 1 / rate_hz
        return tracks

    away, stays = (100, 100), (900, 500)
    run(2, squares(away, stays), LOOKS[:2])
    run(4, squares(stays), LOOKS[1:2])  # the first is away for less than memory_s
    assert set(run(2, squares((120, 100), stays), LOOKS[:2]).ids) == {0, 1}
    run(6, squares(stays), LOOKS[1:2])  # and now for longer
    assert set(run(2, squares((120, 100), stays), LOOKS[:2]).ids) == {1, 2}


def test_tracks_age_and_are_forgotten_on_empty_frames() -> None:
    tracker = plus(memory_s=1)
    for index in range(3):
        tracker.update(squares((100, 100)), LOOKS[:1], ns(index / 10))
    for index in range(3, 20):
        tracker.update(Detections.empty(), NOTHING, ns(index / 10))
    assert len(tracker.memory) == 0


def test_a_track_is_tentative_then_confirmed_then_coasts() -> None:
    tracker = plus(confirm_hits=3, coast_s=0.25)
    states = []
    for index in range(5):
        mask = encode_mask(np.ones((4, 4), bool), 100 + 10 * index, 100)
        seen = squares((100 + 10 * index, 100), (600, 600))
        seen.masks = [mask, mask]
        tracks = tracker.update(seen, LOOKS[:2], ns(index / 10))
        states.append(tracks.states[0])
    assert states == [TrackState.TENTATIVE] * 2 + [TrackState.CONFIRMED] * 3

    coasted = tracker.update(Detections.empty(), NOTHING, ns(0.5))
    row = list(coasted.ids).index(0)
    assert coasted.states[row] == TrackState.COASTED
    np.testing.assert_allclose(coasted.boxes[row], [150, 100, 190, 140], atol=4)
    assert abs(coasted.masks[row].x - 150) <= 4
    assert coasted.last_seen_ns[row] == ns(0.4) and coasted.ages[row] == 6
    assert len(tracker.update(Detections.empty(), NOTHING, ns(0.7))) == 0  # longer than coast_s


def test_coasting_can_be_switched_off() -> None:
    tracker = plus(coast_s=0)
    for index in range(5):
        tracker.update(squares((100, 100)), LOOKS[:1], ns(index / 10))
    assert len(tracker.update(Detections.empty(), NOTHING, ns(0.5))) == 0


def test_classes_keep_apart_only_when_asked() -> None:
    for with_cats, expected in [(False, 0), (True, 1)]:
        tracker = plus(with_cats=with_cats)
        tracker.update(squares((100, 100), label=0), LOOKS[:1], 0)
        tracks = tracker.update(squares((100, 100), label=1), LOOKS[:1], ns(0.1))
        assert expected in tracks.ids


def test_the_class_of_a_track_does_not_flicker_but_can_change() -> None:
    tracker = plus()
    labels = [1, 1, 2, 1, 1] + 8 * [2]
    told = [
        tracker.update(squares((100, 100), label=label), LOOKS[:1], ns(index / 10)).labels[0]
        for index, label in enumerate(labels)
    ]
    assert told[:6] == [1, 1, 1, 1, 1, 1] and told[-1] == 2


def test_scores_can_be_smoothed_in_seconds() -> None:
    """After a fall, 63 % of the way is gone after the time constant, whatever the rate."""
    for rate_hz in (5, 30):
        tracker = plus(score_smoothing_s=1.0)
        for index in range(2 * rate_hz + 1):
            score = 0.9 if index <= rate_hz else 0.4
            seen = squares((100, 100), score=score)
            told = tracker.update(seen, LOOKS[:1], ns(index / rate_hz)).scores[0]
            assert index > rate_hz or told == pytest.approx(0.9)
        assert told == pytest.approx(0.4 + 0.5 * np.exp(-1), abs=1e-3)
    at_once = plus()
    for score in (0.9, 0.4):
        told = at_once.update(squares((100, 100), score=score), LOOKS[:1], ns(score)).scores[0]
        assert told == pytest.approx(score)


def test_parts_can_be_switched_off() -> None:
    motion_only = plus(use_appearance=False)
    for index in range(5):
        tracks = motion_only.update(squares((100, 100)), LOOKS[[index]], ns(index / 10))
    assert list(tracks.ids) == [0]
    looks_only = plus(use_motion=False)
    for index in range(5):
        places = [(100.0 + 200 * (index % 2), 100), (700, 100)]
        tracks = looks_only.update(squares(*places), LOOKS[:2], ns(index / 10))
    assert set(tracks.ids) == {0, 1}


def test_a_weak_detection_continues_a_track_but_begins_none() -> None:
    tracker = plus()
    assert len(tracker.update(squares((100, 100), score=0.4), LOOKS[:1], 0)) == 0
    tracker.update(squares((100, 100)), LOOKS[:1], ns(0.1))
    assert list(tracker.update(squares((100, 100), score=0.2), LOOKS[:1], ns(0.2)).ids) == [0]


def test_equal_and_backward_stamps_do_no_harm() -> None:
    tracker = plus()
    for stamp in (1.0, 1.0, 0.5, 2.0):
        tracks = tracker.update(squares((100, 100)), LOOKS[:1], ns(stamp))
    assert list(tracks.ids) == [0] and np.isfinite(tracks.velocities).all()


def test_where_the_clock_is_set_back_nothing_waits_for_its_time_to_come() -> None:
    """A video that is played again: what was seen at its end neither coasts nor is remembered."""
    tracker = plus(memory_s=5)
    for index in range(10):
        tracker.update(squares((100, 100)), LOOKS[:1], ns(60 + index / 10))
    shown = [tracker.update(Detections.empty(), LOOKS[:0], ns(second)) for second in range(10)]
    assert not any(len(tracks) for tracks in shown[2:]) and len(tracker.memory) == 0


def test_stamps_of_any_kind_of_number_are_nanoseconds() -> None:
    for kind in (np.uint64, np.int64, float):
        tracker = plus()
        for stamp_ns in (10**9, 2 * 10**9, 10**9 + 5 * 10**8):
            tracks = tracker.update(squares((100, 100)), LOOKS[:1], kind(stamp_ns))
        assert list(tracks.ids) == [0] and tracks.last_seen_ns.dtype == np.int64


def test_thousands_of_frames_stay_bounded_and_reuses_no_id() -> None:
    """Every second another object for a while: thousands of ids, few of them alive."""
    tracker = plus(memory_s=10)
    generator = np.random.default_rng(0)
    highest = -1
    for second in range(1000):
        looks = generator.standard_normal((1, 8)).astype(np.float32)
        place = tuple(generator.uniform(0, 1000, 2))
        for index in range(2):
            tracks = tracker.update(squares(place), looks, ns(second * 30 + index / 30))
        seen = tracks.ids[tracks.states != TrackState.COASTED]
        assert seen[0] == highest + 1 or seen[0] <= highest
        highest = max(highest, int(seen[0]))
        assert len(tracker.memory) <= 2
    assert highest == 999


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1), st.floats(0.01, 100))
def test_order_of_detections_and_norm_of_embeddings_do_not_matter(seed: int, norm: float) -> None:
    generator = np.random.default_rng(seed)
    one, other = plus(), plus()
    for index in range(6):
        count = generator.integers(0, 6)
        places = generator.uniform(0, 600, (count, 2))
        seen = squares(*map(tuple, places))
        seen.scores = generator.permutation(np.linspace(0.2, 1, count)).astype(np.float32)
        looks = generator.standard_normal((count, 8)).astype(np.float32)
        turned = generator.permutation(count)
        a = one.update(seen, looks, ns(index / 5))
        b = other.update(seen[turned], norm * looks[turned], ns(index / 5))
        np.testing.assert_array_equal(a.ids, b.ids)
        np.testing.assert_array_equal(a.boxes, b.boxes)


@given(st.integers(0, 2**32 - 1), st.integers(0, 6), st.integers(0, 6), st.floats(-1, 1))
def test_assignment_is_optimal(seed: int, n: int, m: int, threshold: float) -> None:
    evidence = np.random.default_rng(seed).normal(0, 1.5, (n, m))
    rows, columns = assign(evidence, threshold)
    assert len(set(rows)) == len(rows) and len(set(columns)) == len(columns)
    assert (evidence[rows, columns] > threshold).all()

    def best(row: int, free: frozenset[int]) -> float:
        if row == n:
            return 0.0
        gains = [
            evidence[row, c] - threshold + best(row + 1, free - {c})
            for c in free
            if evidence[row, c] > threshold
        ]
        return max([best(row + 1, free), *gains])

    total = (evidence[rows, columns] - threshold).sum()
    assert total == pytest.approx(best(0, frozenset(range(m))))
