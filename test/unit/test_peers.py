"""Trackers of others behind our calls."""

from __future__ import annotations

import numpy as np
import pytest

from masa_core.evaluation.peers import PEERS, PeerTracker
from masa_core.structures import Detections

NOTHING = np.zeros((0, 4), np.float32)


@pytest.mark.parametrize("name", PEERS)
def test_a_peer_follows_a_plain_scene(name: str) -> None:
    pytest.importorskip("trackers")
    tracker = PeerTracker(name, frame_rate=10)
    for index in range(12):
        boxes = [
            [10 * index, 0, 10 * index + 60, 60],
            [400 - 10 * index, 200, 460 - 10 * index, 260],
        ]
        tracks = tracker.update(Detections(boxes, [0.9, 0.8], [2, 3]), NOTHING, index)
    assert len(set(tracks.ids)) == 2 and set(tracks.labels) == {2, 3}
    assert len(tracker.update(Detections.empty(), NOTHING, 12)) == 0


def test_an_unknown_peer_is_named() -> None:
    with pytest.raises(ValueError, match="did you mean 'bytetrack'"):
        PeerTracker("bytetrak")
