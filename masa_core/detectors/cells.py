"""The cells that a convolutional detector makes its predictions from."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Candidates = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]
"""Boxes (K, 4) x1 y1 x2 y2 in px of the network input, scores (K,), labels (K,)."""


@lru_cache(maxsize=8)
def cells(
    strides: tuple[int, ...], height: int, width: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Centres (cells, 2) x y in px, and the stride (cells,) of each cell.

    Row by row, one stride after the other. height, width: of the network input, px.
    """
    centres, cell_strides = [], []
    for stride in strides:
        rows, columns = -(-height // stride), -(-width // stride)
        y, x = np.mgrid[:rows, :columns].reshape(2, -1)
        centres.append((np.stack((x, y), axis=1) + 0.5) * stride)
        cell_strides.append(np.full(rows * columns, stride))
    return np.concatenate(centres).astype(np.float32), np.concatenate(cell_strides).astype(
        np.float32
    )


def best_classes(
    scores: NDArray[np.float32], threshold: float
) -> tuple[NDArray[np.int64], NDArray[np.float32], NDArray[np.int64]]:
    """Rows of (N, classes) whose best score is above the threshold; that score, and its class.

    The best class only: a tracker has no use for one box under two names.
    """
    best = scores.max(axis=1)
    rows = np.flatnonzero(best > threshold)
    return rows, best[rows], scores[rows].argmax(axis=1)


def corners(boxes: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 4) centre x, centre y, width, height -> x1 y1 x2 y2."""
    half = boxes[:, 2:] / 2
    return np.concatenate((boxes[:, :2] - half, boxes[:, :2] + half), axis=1)
