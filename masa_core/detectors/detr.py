"""The output layout of RT-DETR, D-FINE and other detectors of the DETR family."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from masa_core.detectors.cells import Candidates, best_classes, corners


def read_detr(
    outputs: Mapping[str, NDArray[np.float32]],
    strides: tuple[int, ...],
    height: int,
    width: int,
    threshold: float,
) -> Candidates:
    """The queries above the threshold. Exports that end with the decoder have these outputs.

    outputs: `logits` (1, queries, classes) before the sigmoid, `boxes` (1, queries, 4) centre x,
    centre y, width and height as parts of the network input. These detectors find an object once:
    nms_iou is best 1.
    """
    logits, boxes = outputs["logits"], outputs["boxes"]
    if logits.ndim != 3 or boxes.shape != (1, logits.shape[1], 4):
        raise ValueError(
            "layout detr expects logits (1, queries, classes) and boxes (1, queries, 4), the graph "
            f"gives {logits.shape} and {boxes.shape}"
        )
    scores = 1 / (1 + np.exp(-logits[0].clip(-80, 80)))
    rows, best, labels = best_classes(scores, threshold)
    size = np.array([width, height] * 2, np.float32)
    return corners(boxes[0, rows] * size), best, labels
