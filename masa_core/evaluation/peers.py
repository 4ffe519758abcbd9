"""Trackers of others, to compare with: they see the same detections and no embeddings.

They come from the package `trackers` (extra `peers`), which is used as it is.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from masa_core.structures import Detections, Tracks, TrackState
from masa_core.wording import nearest

PEERS = {"sort": "SORTTracker", "bytetrack": "ByteTrackTracker", "ocsort": "OCSORTTracker"}


class PeerTracker:
    """A tracker of the package `trackers` behind the calls of `masa_core.tracking.Tracker`.

    name: one of PEERS. options: those of its class, such as frame_rate, in frames a second.
    Raises ValueError for an unknown name, ImportError without the package.
    """

    def __init__(self, name: str, **options: Any) -> None:
        if name not in PEERS:
            raise ValueError(f"unknown peer {name!r}{nearest(name, list(PEERS))}")
        try:
            import trackers
        except ImportError as error:
            raise ImportError(
                f"{name} comes from the package trackers: pip install 'masa_ros[peers]'"
            ) from error
        self._make = lambda: getattr(trackers, PEERS[name])(**options)
        self.reset()

    def reset(self) -> None:
        """Forget everything."""
        self._tracker = self._make()

    def update(
        self, detections: Detections, embeddings: NDArray[np.float32], stamp_ns: int
    ) -> Tracks:
        """As `Tracker.update`, without what is not sure yet; embeddings and stamp are not used."""
        import supervision

        found = self._tracker.update(
            supervision.Detections(
                xyxy=detections.boxes, confidence=detections.scores, class_id=detections.labels
            )
        )
        ids = np.asarray(found.tracker_id if len(found) else [], np.int64)
        sure = ids >= 0
        return Tracks(
            ids=ids[sure],
            boxes=found.xyxy[sure],
            scores=found.confidence[sure],
            labels=found.class_id[sure],
            states=np.full(int(sure.sum()), TrackState.CONFIRMED, np.uint8),
        )
