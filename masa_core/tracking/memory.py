"""The tracks that are remembered, as one array an attribute, oldest track first."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from masa_core.structures import Detections

_VELOCITY_MOMENTUM = 0.5  # of the newest measurement: halves the jitter of boxes, lags one frame


class TrackMemory:
    """Everything known of M live tracks.

    ids (M,) int64, boxes (M, 4) float32 px, embeddings (M, D) float32, last_frame and age (M,)
    int64, first_ns and last_ns (M,) int64, velocities (M, 2) float32 px/s of the box centre.
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

    def __len__(self) -> int:
        return len(self.ids)

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
        if len(self) == 0:
            self.embeddings = np.zeros((0, embeddings.shape[1]), np.float32)
        new = {
            "ids": ids,
            "boxes": detections.boxes,
            "labels": detections.labels,
            "embeddings": embeddings,
            "velocities": np.zeros((count, 2), np.float32),
            "last_frame": np.full(count, frame),
            "first_frame": np.full(count, frame),
            "first_ns": np.full(count, stamp_ns),
            "last_ns": np.full(count, stamp_ns),
        }
        for name, column in new.items():
            setattr(self, name, np.concatenate((getattr(self, name), column)))

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Forget all tracks but those of the (M,) boolean mask."""
        if not rows.all():
            for name, column in vars(self).items():
                setattr(self, name, column[rows])

    def rows_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Rows of the given ids, all of which must be remembered. ids are kept in rising order."""
        return np.searchsorted(self.ids, ids)


def _centres(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    return (boxes[:, :2] + boxes[:, 2:]) / 2
