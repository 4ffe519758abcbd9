"""From the outputs of any detector graph to detections, as a bundle's `detector` section says."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from masa_core.detectors.boxes import read_boxes
from masa_core.detectors.cells import Candidates
from masa_core.detectors.detr import read_detr
from masa_core.detectors.nanodet import read_nanodet
from masa_core.detectors.yolo import read_yolov8, read_yolox
from masa_core.structures import Detections
from masa_core.wording import nearest

_MAX_CANDIDATES = 1000  # the best ones before duplicates are removed; bounds the time of a frame


class Layout(NamedTuple):
    """How one family of detectors lays out its outputs."""

    outputs: tuple[str, ...]  # what `read` asks for by name
    read: Callable[..., Candidates]
    strides: bool  # whether `read` must know the strides


LAYOUTS = {
    "nanodet": Layout(("scores", "distances"), read_nanodet, strides=True),
    "yolox": Layout(("predictions",), read_yolox, strides=True),
    "yolov8": Layout(("predictions",), read_yolov8, strides=False),
    "boxes": Layout(("boxes", "scores"), read_boxes, strides=False),
    "detr": Layout(("logits", "boxes"), read_detr, strides=False),
}


@dataclass(frozen=True)
class DetectorSpec:
    """The `detector` section of bundle.yaml."""

    layout: str  # a key of LAYOUTS
    outputs: dict[str, str]  # name in the layout -> name of the graph's output
    score_threshold: float
    nms_iou: float  # of two boxes of one class that overlap more, the better one stays
    max_detections: int
    classes: tuple[str, ...]
    strides: tuple[int, ...] = ()  # px of the network input per cell, where the layout has cells

    def __post_init__(self) -> None:
        if self.layout not in LAYOUTS:
            raise ValueError(f"unknown layout {self.layout!r}{nearest(self.layout, list(LAYOUTS))}")
        expected = LAYOUTS[self.layout].outputs
        if set(self.outputs) != set(expected):
            raise ValueError(f"'outputs' of layout {self.layout} must name {', '.join(expected)}")
        if LAYOUTS[self.layout].strides and (not self.strides or min(self.strides) < 1):
            raise ValueError(f"layout {self.layout} needs 'strides', such as [8, 16, 32]")


def decode(
    outputs: Mapping[str, NDArray[np.float32]], spec: DetectorSpec, height: int, width: int
) -> Detections:
    """Detections in pixels of the network input (height, width), best first, inside of it.

    outputs: those of the graph, by the graph's names. Raises ValueError when their shapes are not
    those of the layout.
    """
    layout = LAYOUTS[spec.layout]
    named = {name: outputs[spec.outputs[name]] for name in layout.outputs}
    boxes, scores, labels = layout.read(named, spec.strides, height, width, spec.score_threshold)
    if labels.max(initial=0) >= len(spec.classes):
        raise ValueError(f"the graph has more classes than the {len(spec.classes)} it names")
    boxes = boxes.clip(0, np.array([width, height] * 2, np.float32))
    keep = suppress(boxes, scores, labels, spec.nms_iou)[: spec.max_detections]
    return Detections(boxes[keep], scores[keep], labels[keep])


def suppress(
    boxes: NDArray[np.float32],
    scores: NDArray[np.float32],
    labels: NDArray[np.int64],
    iou: float,
) -> NDArray[np.int64]:
    """Rows that greedy non-maximum suppression within each class keeps, best first."""
    if len(boxes) == 0:
        return np.zeros(0, np.int64)
    # Classes are set apart in space, so that boxes of two classes never overlap.
    apart = boxes + labels[:, None] * (float(boxes.max()) + 1.0)
    rectangles = np.concatenate((apart[:, :2], apart[:, 2:] - apart[:, :2]), axis=1)
    keep = cv2.dnn.NMSBoxes(
        rectangles.tolist(), scores.tolist(), 0.0, iou, top_k=_MAX_CANDIDATES
    )  # lists, because OpenCV 4.5 takes no arrays
    return np.asarray(keep, np.int64).ravel()
