"""The output layouts of the YOLO families that are in wide use."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from masa_core.detectors.cells import Candidates, best_classes, cells, corners


def read_yolox(
    outputs: Mapping[str, NDArray[np.float32]],
    strides: tuple[int, ...],
    height: int,
    width: int,
    threshold: float,
) -> Candidates:
    """YOLOX as its own export writes it (box decoding left to the reader).

    outputs: `predictions` (1, cells, 5 + classes): the centre's offset from the cell's corner in
    strides, log of width and height in strides, objectness, class scores; the cells of each stride
    row by row, one stride after the other. A score is objectness x class score.
    Raises ValueError when the output does not have the cells of this input size.
    """
    predictions = _one_image(outputs["predictions"], "yolox", axis=2, fewest=6)
    centres, cell_stride = cells(strides, height, width)
    if len(predictions) != len(centres):
        raise ValueError(
            f"layout yolox expects {len(centres)} cells for an input of {width}x{height} px and "
            f"strides {strides}, the graph gives {len(predictions)}"
        )
    rows, scores, labels = best_classes(predictions[:, 4:5] * predictions[:, 5:], threshold)
    stride = cell_stride[rows, None]
    centre = centres[rows] + (predictions[rows, :2] - 0.5) * stride
    with np.errstate(over="ignore"):
        size = np.exp(predictions[rows, 2:4]) * stride
    return corners(np.concatenate((centre, size), axis=1)), scores, labels


def read_yolov8(
    outputs: Mapping[str, NDArray[np.float32]],
    strides: tuple[int, ...],
    height: int,
    width: int,
    threshold: float,
) -> Candidates:
    """YOLOv8 and YOLO11 as Ultralytics exports them (without NMS in the graph).

    outputs: `predictions` (1, 4 + classes, cells): centre x, centre y, width and height in px of
    the network input, class scores. What a segmentation or pose model adds must be cut off.
    """
    predictions = _one_image(outputs["predictions"], "yolov8", axis=1, fewest=5).T
    rows, scores, labels = best_classes(predictions[:, 4:], threshold)
    return corners(predictions[rows, :4]), scores, labels


def _one_image(
    output: NDArray[np.float32], layout: str, axis: int, fewest: int
) -> NDArray[np.float32]:
    """The table of the one image of a batch, if it has enough numbers a cell, along the axis."""
    if output.ndim != 3 or len(output) != 1 or output.shape[axis] < fewest:
        raise ValueError(
            f"layout {layout} expects one image with at least {fewest} numbers a cell on axis "
            f"{axis}, the graph gives the shape {output.shape}"
        )
    return output[0]
