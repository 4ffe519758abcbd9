"""The output layout of graphs that end with boxes, such as those that `masa export` writes."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from masa_core.detectors.cells import Candidates


def read_boxes(
    outputs: Mapping[str, NDArray[np.float32]],
    strides: tuple[int, ...],
    height: int,
    width: int,
    threshold: float,
) -> Candidates:
    """The boxes above the threshold, all of label 0.

    outputs: `boxes` (K, 4) x1 y1 x2 y2 in px of the network input, `scores` (K,).
    """
    boxes, scores = outputs["boxes"], outputs["scores"]
    if boxes.shape != (len(scores), 4) or scores.ndim != 1:
        raise ValueError(
            "layout boxes expects boxes (K, 4) and scores (K,), the graph gives "
            f"{boxes.shape} and {scores.shape}"
        )
    keep = scores > threshold
    return boxes[keep], scores[keep], np.zeros(int(keep.sum()), np.int64)
