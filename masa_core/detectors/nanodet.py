"""The output layout of NanoDet: class scores, and box sides as distributions over distances."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from masa_core.detectors.cells import Candidates, best_classes, cells


def read_nanodet(
    outputs: Mapping[str, NDArray[np.float32]],
    strides: tuple[int, ...],
    height: int,
    width: int,
    threshold: float,
) -> Candidates:
    """The cells above the threshold.

    outputs: `scores` (1, cells, classes) after the sigmoid and `distances` (1, cells, 4 x bins)
    before the softmax, the cells of each stride row by row, one stride after the other.
    Raises ValueError when the outputs do not have the cells of this input size.
    """
    scores, distances = outputs["scores"][0], outputs["distances"][0]
    centres, cell_stride = cells(strides, height, width)
    if not len(scores) == len(distances) == len(centres):
        raise ValueError(
            f"layout nanodet expects {len(centres)} cells for an input of {width}x{height} px and "
            f"strides {strides}, the graph gives {len(scores)} scores, {len(distances)} distances"
        )
    rows, best, labels = best_classes(scores, threshold)

    # The expectation of each side's distribution is its distance from the cell's centre.
    logits = distances[rows].reshape(len(rows), 4, distances.shape[1] // 4)
    weights = np.exp(logits - logits.max(axis=2, keepdims=True))
    bins = np.arange(weights.shape[2], dtype=np.float32)
    sides = weights @ bins / weights.sum(axis=2) * cell_stride[rows, None]
    boxes = np.tile(centres[rows], 2) + sides * np.array([-1, -1, 1, 1], np.float32)
    return boxes, best, labels
