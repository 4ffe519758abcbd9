"""The history-aware projection: what tells the tracks of a scene apart, learned while tracking."""

from __future__ import annotations

import numpy as np

from masa_core.structures import Detections
from masa_core.tracking import Tracker, TrackerConfig
from masa_core.tracking.association import unit
from masa_core.tracking.history_projection import KEPT, HistoryProjection

OBJECTS, TELLING, MISLEADING = 6, 8, 24


class Scene:
    """Objects that differ a little in some values, and all vary a lot in others, as in light."""

    def __init__(self, seed: int) -> None:
        self.random = np.random.default_rng(seed)
        self.objects = self.random.standard_normal((OBJECTS, TELLING))

    def looks(self) -> np.ndarray:
        """(OBJECTS, D) embeddings of one moment."""
        light = 0.8 * self.random.standard_normal((OBJECTS, MISLEADING))
        noise = 0.1 * self.random.standard_normal((OBJECTS, TELLING))
        return np.concatenate([self.objects + noise, light], axis=1).astype(np.float32)


def nearest_is_itself(projection: HistoryProjection, scene: Scene) -> float:
    a, b = (projection.apply(unit(scene.looks())) for _ in range(2))
    np.testing.assert_allclose(np.linalg.norm(a, axis=1), 1, atol=1e-5)
    return float(np.mean((a @ b.T).argmax(axis=1) == np.arange(OBJECTS)))


def test_it_finds_what_tells_objects_apart() -> None:
    scene, projection = Scene(0), HistoryProjection()
    before = np.mean([nearest_is_itself(projection, scene) for _ in range(50)])
    means = unit(np.mean([unit(scene.looks()) for _ in range(100)], axis=0))
    for second in range(50):
        projection.learn(unit(scene.looks()), means)
        projection.refresh(means, second * 10**9)
    after = np.mean([nearest_is_itself(projection, scene) for _ in range(50)])
    assert before < 0.7 and after > 0.85


def test_it_changes_nothing_until_there_is_something_to_learn_from() -> None:
    scene, projection = Scene(0), HistoryProjection()
    looks = unit(scene.looks())
    projection.refresh(looks, 0)
    projection.learn(looks, looks)
    projection.refresh(looks, 1)
    assert projection.apply(looks) is looks


def test_it_is_bounded_and_bears_what_says_nothing() -> None:
    projection, looks = HistoryProjection(), np.full((5, 4), 0.5, np.float32)
    for second in (*range(KEPT // 4), 3, 3, 2):  # the last stamps go back
        for _ in range(2):
            projection.learn(looks, looks)
        projection.refresh(looks, second * 10**9)
    assert np.isfinite(projection.apply(looks)).all()
    kept = [value for value in vars(projection).values() if isinstance(value, np.ndarray)]
    assert sum(array.nbytes for array in kept) < 8 * KEPT * 4 * 4


def test_it_helps_a_tracker_where_places_say_nothing() -> None:
    def switches(on: bool, seed: int) -> int:
        scene = Scene(seed)
        overrides = {"history_projection": on, "match_evidence_thr": -5.0}
        tracker = Tracker(TrackerConfig.preset("masa_plus", **overrides))
        last, count = np.full(OBJECTS, -1), 0
        for frame in range(100):
            # They stand for a while, and are then somewhere else in each frame.
            corners = np.stack([150.0 * np.arange(OBJECTS), np.full(OBJECTS, 100.0)], axis=1)
            if frame >= 60:
                corners = 300 * np.stack(np.divmod(scene.random.permutation(64), 8), 1)[:OBJECTS]
            boxes = np.concatenate([corners, corners + 60], axis=1).astype(np.float32)
            seen = Detections(boxes, np.linspace(0.95, 0.8, OBJECTS), np.zeros(OBJECTS, np.int64))
            stamp = frame * 10**8 if frame < 60 else frame * 10**9
            ids = tracker.update(seen, scene.looks(), stamp).ids[:OBJECTS]
            count += int((ids != last).sum())
            last = ids
        return count

    with_it, without = (sum(switches(on, seed) for seed in range(1, 4)) for on in (True, False))
    assert with_it < 0.75 * without
