"""A few good views of each track, besides the running mean of its embeddings.

A mean says what an object looks like mostly, and falls behind when it changes: it turns, or comes
near. Of the views that are kept, one may be like what is seen now.
"""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

VIEWS = 4  # of a track
EVERY_NS = 500_000_000  # the next view of a track is taken after this time
GOOD_SCORE = 0.5
COVERED_IOU = 0.3  # a box that overlaps another more may show two objects

Rows = NDArray[np.int64]
Floats = NDArray[np.float32]


class Gallery:
    """Views of tracks, by their ids; at most VIEWS of each, the newest ones."""

    def __init__(self) -> None:
        self._views: dict[int, deque[Floats]] = {}
        self._next_ns: dict[int, int] = {}

    def add(
        self, ids: Rows, scores: Floats, overlap: Floats, embeddings: Floats, stamp_ns: int
    ) -> None:
        """Keep the good ones of N tracks' views.

        scores: (N,). overlap: (N,) largest IoU with another box. embeddings: (N, D), unit length.
        """
        due = [stamp_ns >= self._next_ns.get(track, stamp_ns) for track in ids.tolist()]
        good = np.array(due, bool) & (scores > GOOD_SCORE) & (overlap < COVERED_IOU)
        for row in np.flatnonzero(good).tolist():
            track = int(ids[row])
            self._views.setdefault(track, deque(maxlen=VIEWS)).append(embeddings[row].copy())
            self._next_ns[track] = stamp_ns + EVERY_NS

    def keep(self, ids: Rows) -> None:
        """Forget all tracks but these."""
        for track in self._views.keys() - set(ids.tolist()):
            del self._views[track], self._next_ns[track]

    def views(self, ids: Rows) -> tuple[Rows, Floats]:
        """Which of M tracks each view is of, (K,) rising in 0..M-1, and the (K, D) views."""
        owners, views = [], []
        for row, track in enumerate(ids.tolist()):
            for view in self._views.get(track, ()):
                owners.append(row)
                views.append(view)
        return np.array(owners, np.int64), np.array(views, np.float32)
