"""Detections from messages: masa_ros/DetectionArray and vision_msgs/Detection2DArray.

Only the fields are looked at, so that this needs neither ROS nor vision_msgs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from masa_core.io.class_names import ClassNames
from masa_core.masks import decode_mask
from masa_core.structures import Detections, Mask

MAX_DETECTIONS = 1000  # of one image: what the tracker takes grows with their number
_NO_MASK = Mask(0, 0, 0, 0, b"")


class Row(NamedTuple):
    """One detection as it came."""

    box: tuple[float, float, float, float]  # x1 y1 x2 y2
    score: float
    class_id: str
    label: int  # -1: none
    mask: Any = None  # with the fields of masa_ros/Mask


def masa_rows(message: Any) -> list[Row]:
    """The rows of a masa_ros/DetectionArray."""
    return [
        Row((d.x_min, d.y_min, d.x_max, d.y_max), d.score, d.class_id, d.label, d.mask)
        for d in message.detections
    ]


def vision_rows(message: Any) -> list[Row]:
    """The rows of a vision_msgs/Detection2DArray: of each detection, its best hypothesis.

    A detection without one has no class and counts as certain. Boxes are taken as upright.
    """
    rows = []
    for detection in message.detections:
        score, class_id = 1.0, ""
        if detection.results:
            best = max((r.hypothesis for r in detection.results), key=lambda h: h.score)
            score, class_id = best.score, best.class_id
        centre, w, h = detection.bbox.center.position, detection.bbox.size_x, detection.bbox.size_y
        box = (centre.x - w / 2, centre.y - h / 2, centre.x + w / 2, centre.y + h / 2)
        rows.append(Row(box, score, class_id, -1))
    return rows


def usable_detections(
    rows: list[Row], height: int, width: int, names: ClassNames, classes: Collection[str] = ()
) -> tuple[Detections, Counter[str]]:
    """The detections of an image of `height` x `width` pixels that a tracker can work with.

    names: gives the labels, and learns new ones. classes: the class_ids to keep; none for all.

    Left out are rows with a number that is not finite, with a score outside of 0..1, with a box
    that has no area or lies outside of the image. A mask that does not fit is emptied. The
    counter says how many of each.
    """
    if classes:
        rows = [row for row in rows if row.class_id in classes]
    if not rows:
        return Detections.empty(), Counter()
    with np.errstate(over="ignore"):  # becomes infinite, and is left out as such
        boxes = np.array([row.box for row in rows], np.float64).astype(np.float32)
        scores = np.array([row.score for row in rows], np.float64).astype(np.float32)
    keep, ignored = _usable(boxes, scores, height, width)
    rows = [rows[i] for i in keep]
    labels = np.array([names.number(row.class_id, row.label) for row in rows], np.int64)
    masks = None
    if any(row.mask is not None and row.mask.width > 0 for row in rows):
        read = [_mask(row.mask, height, width) for row in rows]
        ignored["detections: mask does not fit"] = read.count(None)
        masks = [mask or _NO_MASK for mask in read]
    return Detections(boxes[keep], scores[keep], labels, masks), ignored


def _usable(
    boxes: NDArray[np.float32], scores: NDArray[np.float32], height: int, width: int
) -> tuple[NDArray[np.int64], Counter[str]]:
    """Indices of the rows to keep, in their order, and how many fell to each test."""
    x1, y1, x2, y2 = boxes.T
    tests = {
        "not a finite number": np.isfinite(boxes).all(axis=1) & np.isfinite(scores),
        "score outside of 0..1": (scores >= 0) & (scores <= 1),
        "box without an area": (x2 > x1) & (y2 > y1),
        "box outside of the image": (x2 > 0) & (y2 > 0) & (x1 < width) & (y1 < height),
    }
    good = np.ones(len(boxes), bool)
    ignored: Counter[str] = Counter()
    for cause, passed in tests.items():
        ignored[f"detections: {cause}"] = int((good & ~passed).sum())
        good &= passed
    keep = np.flatnonzero(good)
    if len(keep) > MAX_DETECTIONS:
        ignored["detections: too many"] = len(keep) - MAX_DETECTIONS
        keep = np.sort(keep[np.argsort(-scores[keep], kind="stable")[:MAX_DETECTIONS]])
    return keep, ignored


def _mask(message: Any, height: int, width: int) -> Mask | None:
    """The mask, if it is one of an image of this size. Empty where there is none."""
    if message.width == 0:
        return _NO_MASK
    if message.width > width or message.height > height:  # and thus of bounded memory
        return None
    mask = Mask(message.x, message.y, message.width, message.height, bytes(message.runs))
    try:
        decode_mask(mask)
    except ValueError:
        return None
    return mask
