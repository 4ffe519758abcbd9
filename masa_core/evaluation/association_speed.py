"""How long an update of the trackers takes, side by side in one run."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from masa_core.evaluation.peers import PEERS, PeerTracker
from masa_core.structures import Detections
from masa_core.tracking import Tracker, TrackerConfig

WARM_UP = 5  # frames that are not counted
EMBEDDING_SIZE = 256  # as of the MASA models
FORGET_NOTHING: dict[str, dict[str, Any]] = {
    "masa_plus": {"tentative_memory_s": 3600.0},
    "masa_tao": {"memo_tracklet_frames": 1_000_000},
    "masa_bdd": {"memo_tracklet_frames": 1_000_000},
}


def measure(names: list[str], count: int, alive: int, frames: int, seed: int) -> list[float]:
    """Median milliseconds of an update with `count` detections and `alive` tracks, by tracker.

    The scene is made up: objects with random looks move in straight lines, `count` of them are
    detected in each frame. Raises ImportError where a peer is named and not installed.
    """
    generator = np.random.default_rng(seed)
    looks = generator.standard_normal((alive, EMBEDDING_SIZE)).astype(np.float32)
    places = generator.uniform(0, 2000, (alive, 2))
    speeds = generator.uniform(-40, 40, (alive, 2))
    trackers = [make(name) for name in names]
    spent: list[list[float]] = [[] for _ in names]
    for index in range(WARM_UP + frames):
        rows = np.arange(alive) if index < WARM_UP else generator.permutation(alive)[:count]
        corner = places[rows] + speeds[rows] * index / 30
        detections = Detections(
            np.concatenate([corner, corner + 40], axis=1).astype(np.float32),
            generator.uniform(0.75, 1, len(rows)).astype(np.float32),
            np.zeros(len(rows), np.int64),
        )
        noise = generator.standard_normal((len(rows), EMBEDDING_SIZE)).astype(np.float32)
        embeddings = looks[rows] + 0.2 * noise
        for tracker, seconds in zip(trackers, spent, strict=True):
            begin = time.perf_counter()
            tracker.update(detections, embeddings, round(index * 1e9 / 30))
            seconds.append(time.perf_counter() - begin)
    return [1e3 * float(np.median(seconds[WARM_UP:])) for seconds in spent]


def make(name: str) -> Any:
    """A tracker that forgets nothing while it is measured."""
    if name in PEERS:
        return PeerTracker(name, lost_track_buffer=10_000)
    return Tracker(TrackerConfig.preset(name, **FORGET_NOTHING[name]))
