"""What the official trackers remember of each track."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from masa_core.structures import Detections
from masa_core.tracking.columns import Columns

_VELOCITY_MOMENTUM = 0.5  # of the newest measurement: halves the jitter of boxes, lags one frame


class OfficialMemory(Columns):
    """M tracks, oldest first.

    ids (M,), boxes (M, 4) px, labels (M,), embeddings (M, D), velocities (M, 2) px/s of the box
    centre, first_frame, last_frame, first_ns and last_ns (M,).
    """

    def __init__(self) -> None:
        self.ids = np.zeros(0, np.int64)
        self.boxes = np.zeros((0, 4), np.float32)
        self.labels = np.zeros(0, np.int64)
        self.embeddings = np.zeros((0, 0), np.float32)
        self.velocities = np.zeros((0, 2), np.float32)
        self.last_frame = np.zeros(0, np.int64)
        self.first_frame = np.zeros(0, np.int64)
        self.first_ns = np.zeros(0, np.int64)
        self.last_ns = np.zeros(0, np.int64)

    def update(
        self,
        rows: NDArray[np.int64],
        detections: Detections,
        embeddings: NDArray[np.float32],
        frame: int,
        stamp_ns: int,
        momentum: float,
    ) -> None:
        """Tracks at `rows` (N,) were seen as N detections with (N, D) embeddings."""
        elapsed_s = (stamp_ns - self.last_ns[rows]) / 1e9
        moved = (_centres(detections.boxes) - _centres(self.boxes[rows])) / np.where(
            elapsed_s > 0, elapsed_s, 1
        )[:, None]
        first_move = self.last_frame[rows] == self.first_frame[rows]
        weight = np.where(first_move, 1.0, _VELOCITY_MOMENTUM) * (elapsed_s > 0)
        self.velocities[rows] += weight[:, None] * (moved - self.velocities[rows])

        mean = (1 - momentum) * self.embeddings[rows] + momentum * embeddings
        self.embeddings[rows] = mean
        self.boxes[rows] = detections.boxes
        self.labels[rows] = detections.labels
        self.last_frame[rows] = frame
        self.last_ns[rows] = stamp_ns

    def add(
        self,
        ids: NDArray[np.int64],
        detections: Detections,
        embeddings: NDArray[np.float32],
        frame: int,
        stamp_ns: int,
    ) -> None:
        """N new tracks begin as N detections with (N, D) embeddings."""
        count = len(ids)
        self.append(
            ids=ids,
            boxes=detections.boxes,
            labels=detections.labels,
            embeddings=embeddings,
            velocities=np.zeros((count, 2), np.float32),
            last_frame=np.full(count, frame),
            first_frame=np.full(count, frame),
            first_ns=np.full(count, stamp_ns),
            last_ns=np.full(count, stamp_ns),
        )


def _centres(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.asarray((boxes[:, :2] + boxes[:, 2:]) / 2)
