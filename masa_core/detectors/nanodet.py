"""The output layout of NanoDet: class scores, and box sides as distributions over distances."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

Candidates = tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64]]


def read_nanodet(
    outputs: Mapping[str, NDArray[np.float32]],
    strides: tuple[int, ...],
    height: int,
    width: int,
    threshold: float,
) -> Candidates:
    """Boxes (K, 4) x1 y1 x2 y2, scores (K,) and labels (K,) of all cells above the threshold.

    outputs: `scores` (1, cells, classes) after the sigmoid and `distances` (1, cells, 4 x bins)
    before the softmax, the cells of each stride row by row, one stride after the other.
    height, width: of the network input, px; the boxes are in its pixels.

    A cell gives its best class only: a tracker has no use for one box under two names.
    Raises ValueError when the outputs do not have the cells of this input size.
    """
    scores, distances = outputs["scores"][0], outputs["distances"][0]
    centres, cell_stride = _cells(strides, height, width)
    if not len(scores) == len(distances) == len(centres):
        raise ValueError(
            f"layout nanodet expects {len(centres)} cells for an input of {width}x{height} px and "
            f"strides {strides}, the graph gives {len(scores)} scores, {len(distances)} distances"
        )
    best = scores.max(axis=1)
    cells = np.flatnonzero(best > threshold)
    labels = scores[cells].argmax(axis=1)

    # The expectation of each side's distribution is its distance from the cell's centre.
    logits = distances[cells].reshape(len(cells), 4, distances.shape[1] // 4)
    weights = np.exp(logits - logits.max(axis=2, keepdims=True))
    bins = np.arange(weights.shape[2], dtype=np.float32)
    sides = weights @ bins / weights.sum(axis=2) * cell_stride[cells, None]
    boxes = np.tile(centres[cells], 2) + sides * np.array([-1, -1, 1, 1], np.float32)
    return boxes, best[cells], labels


@lru_cache(maxsize=8)
def _cells(
    strides: tuple[int, ...], height: int, width: int
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Centres (cells, 2) x y in px, and the stride (cells,) of each cell."""
    centres, cell_strides = [], []
    for stride in strides:
        rows, columns = -(-height // stride), -(-width // stride)
        y, x = np.mgrid[:rows, :columns].reshape(2, -1)
        centres.append((np.stack((x, y), axis=1) + 0.5) * stride)
        cell_strides.append(np.full(rows * columns, stride))
    return np.concatenate(centres).astype(np.float32), np.concatenate(cell_strides).astype(
        np.float32
    )
