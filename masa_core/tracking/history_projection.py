"""Embeddings seen so that the tracks of this very scene differ most: a linear discriminant
analysis of what was tracked so far, without training (after HAT, arXiv 2503.12562).

How one object's embeddings vary is learned from matches, how objects differ from the tracks'
means. Once a second, the directions are found in which the second is large against the first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from masa_core.tracking.association import unit

KEPT = 600  # newest matches that tell how an object's embeddings vary
ENOUGH = 60  # matches before anything is told from them
TRACKS = 100  # newest tracks that tell how objects differ
DIRECTIONS = 48
SHARE = 0.5  # of the projected embeddings in a similarity
REFRESH_NS = 1_000_000_000

Floats = NDArray[np.float32]


class HistoryProjection:
    """Maps unit embeddings (N, D) to unit embeddings (N, D + K) whose products are similarities."""

    def __init__(self) -> None:
        self._variations: Floats | None = None  # (KEPT, D), a ring
        self._learned = 0
        self._refreshed_ns: int | None = None
        self._basis: tuple[Floats, Floats] | None = None  # centre (D,) and directions (D, K)

    def learn(self, embeddings: Floats, tracks: Floats) -> None:
        """Learn from N matches: (N, D) unit embeddings, of the detections and of their tracks."""
        if self._variations is None:
            self._variations = np.zeros((KEPT, embeddings.shape[1]), np.float32)
        places = (self._learned + np.arange(len(embeddings))) % KEPT
        self._variations[places[-KEPT:]] = (embeddings - tracks)[-KEPT:]
        self._learned += len(embeddings)

    def refresh(self, tracks: Floats, stamp_ns: int) -> None:
        """Look at the (M, D) unit embeddings of tracks, of which the last began last, if it is
        time to."""
        waits = self._refreshed_ns is not None and 0 <= stamp_ns - self._refreshed_ns < REFRESH_NS
        if waits or self._variations is None or self._learned < ENOUGH or len(tracks) < 3:
            return
        self._refreshed_ns = stamp_ns
        within = self._variations[: self._learned]
        scatter = (within.T @ within).astype(np.float64) / len(within)
        even = np.trace(scatter) / len(scatter)
        # Few matches say little of many directions: towards the same variance in all of them.
        shrinkage = len(scatter) / (len(scatter) + len(within))
        scatter *= 1 - shrinkage
        scatter[np.diag_indices_from(scatter)] += shrinkage * even + 1e-9
        whiten = np.linalg.inv(np.linalg.cholesky(scatter)).T
        tracks = tracks[-TRACKS:]
        centre = tracks.mean(axis=0)
        _, _, directions = np.linalg.svd((tracks - centre) @ whiten, full_matrices=False)
        self._basis = centre, (whiten @ directions[:DIRECTIONS].T).astype(np.float32)

    def apply(self, embeddings: Floats) -> Floats:
        """The embeddings as they are, until enough was learned."""
        if self._basis is None:
            return embeddings
        centre, directions = self._basis
        projected = unit((embeddings - centre) @ directions)
        return np.concatenate(
            [np.sqrt(1 - SHARE) * embeddings, np.sqrt(SHARE) * projected], axis=1
        ).astype(np.float32)
