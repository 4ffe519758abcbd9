"""Overlap of boxes, in the arithmetic of each official evaluator.

Evaluators compare an overlap with 0.5 exactly, and real data holds boxes that meet it exactly.
The order of the operations is therefore part of the rule.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_EPS = np.finfo(np.float64).eps

Boxes = NDArray[np.float64]


def iou_distances(truth_xywh: Boxes, results_xywh: Boxes) -> NDArray[np.float64]:
    """1 - IoU of (G, 4) and (T, 4) boxes left, top, width, height: py-motmetrics' arithmetic."""
    low = np.maximum(truth_xywh[:, None, :2], results_xywh[None, :, :2])
    truth_high = truth_xywh[:, :2] + truth_xywh[:, 2:]
    results_high = results_xywh[:, :2] + results_xywh[:, 2:]
    high = np.minimum(truth_high[:, None], results_high[None])
    overlap = np.prod(np.maximum(high - low, 0), axis=-1)
    truth_area = np.prod(np.maximum(truth_high - truth_xywh[:, :2], 0), axis=-1)
    results_area = np.prod(np.maximum(results_high - results_xywh[:, :2], 0), axis=-1)
    union = truth_area[:, None] + results_area[None] - overlap
    iou = np.zeros_like(overlap)
    np.divide(overlap, union, out=iou, where=overlap != 0)
    return 1 - iou


def overlap_of_first_xywh(first: Boxes, second: Boxes) -> NDArray[np.float64]:
    """Share of each of (N, 4) boxes that lies in each of (M, 4) boxes: Scalabel's arithmetic."""
    high = np.minimum((first[:, :2] + first[:, 2:])[:, None], (second[:, :2] + second[:, 2:])[None])
    sides = np.maximum(high - np.maximum(first[:, None, :2], second[None, :, :2]), 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        return sides[..., 0] * sides[..., 1] / (first[:, 2] * first[:, 3])[:, None]


def _overlap(first: Boxes, second: Boxes) -> NDArray[np.float64]:
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, 2:], second[None, :, 2:])
    sides = np.maximum(high - low, 0)
    return sides[..., 0] * sides[..., 1]


def _area(boxes: Boxes) -> NDArray[np.float64]:
    return (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])


def box_iou(first: Boxes, second: Boxes) -> NDArray[np.float64]:
    """IoU of (N, 4) and (M, 4) boxes x1, y1, x2, y2: arithmetic of TrackEval and TETA."""
    overlap = _overlap(first, second)
    first_area, second_area = _area(first), _area(second)
    union = first_area[:, None] + second_area[None] - overlap
    overlap[first_area <= _EPS] = 0
    overlap[:, second_area <= _EPS] = 0
    overlap[union <= _EPS] = 0
    union[union <= _EPS] = 1
    return overlap / union


def overlap_of_first(first: Boxes, second: Boxes) -> NDArray[np.float64]:
    """Share of each of (N, 4) boxes that lies in each of (M, 4) boxes x1, y1, x2, y2."""
    overlap, area = _overlap(first, second), _area(first)
    share = np.zeros_like(overlap)
    sized = area > _EPS
    share[sized] = overlap[sized] / area[sized][:, None]
    return share


def xywh_to_xyxy(boxes: Boxes) -> Boxes:
    """(N, 4) left, top, width, height to x1, y1, x2, y2."""
    return np.concatenate((boxes[:, :2], boxes[:, :2] + boxes[:, 2:]), axis=1)
