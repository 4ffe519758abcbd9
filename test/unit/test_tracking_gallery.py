"""The gallery: what a track looked like before it turned."""

from __future__ import annotations

import numpy as np
import pytest

from masa_core.structures import Detections
from masa_core.tracking import Tracker, TrackerConfig
from masa_core.tracking.gallery import VIEWS, Gallery

FRONT, BACK, OTHER = 20 * np.eye(8, dtype=np.float32)[:3]


def boxes(*places: float, score: float = 0.9) -> Detections:
    rows = np.array([(x, 100, x + 40, 140) for x in places], np.float32).reshape(-1, 4)
    return Detections(rows, np.full(len(rows), score), np.zeros(len(rows), np.int64))


def ids(*tracks: int) -> np.ndarray:
    return np.array(tracks, np.int64)


@pytest.mark.parametrize("on", [True, False])
def test_an_object_that_turned_around_and_back_is_known_again(on: bool) -> None:
    tracker = Tracker(TrackerConfig.preset("masa_plus", gallery=on))
    for index in range(13):  # it shows its front, and then for a while its back
        look = FRONT if index < 8 else BACK
        seen = tracker.update(boxes(100, 900), np.stack([look, OTHER]), index * 250_000_000)
        assert list(seen.ids) == [0, 1]
    # A second later it is somewhere else, and shows its front again.
    tracks = tracker.update(boxes(500, 900), np.stack([FRONT, OTHER]), 16 * 250_000_000)
    assert list(tracks.ids[:2]) == ([0, 1] if on else [2, 1])


def test_views_are_few_good_and_spread_in_time() -> None:
    gallery, look = Gallery(), np.eye(8, dtype=np.float32)
    sure, alone = np.array([0.9], np.float32), np.zeros(1, np.float32)
    for index in range(20):
        gallery.add(ids(7), sure, alone, look[[index % 8]], index * 100_000_000)
    owners, views = gallery.views(ids(3, 7))
    assert list(owners) == [1] * VIEWS
    np.testing.assert_array_equal(views, look[[0, 5, 2, 7]])  # of frames 0, 5, 10 and 15

    gallery.add(ids(8), np.array([0.3], np.float32), alone, look[:1], 0)  # hardly seen
    gallery.add(ids(9), sure, np.array([0.6], np.float32), look[:1], 0)  # hidden in part
    assert len(gallery.views(ids(8, 9))[1]) == 0


def test_views_of_forgotten_tracks_are_forgotten() -> None:
    gallery, look = Gallery(), np.eye(8, dtype=np.float32)
    gallery.add(ids(1, 2), np.full(2, 0.9, np.float32), np.zeros(2, np.float32), look[:2], 0)
    gallery.keep(ids(2, 5))
    assert list(gallery.views(ids(1, 2))[0]) == [1]

    tracker = Tracker(TrackerConfig.preset("masa_plus", memory_s=5))
    for second in range(300):
        place = 100.0 + 977 * second % 1500
        tracker.update(
            boxes(place), np.random.default_rng(second).normal(size=(1, 8)), second * 10**9
        )
    held = tracker._engine._gallery._views
    assert 0 < len(held) <= len(tracker.memory)
