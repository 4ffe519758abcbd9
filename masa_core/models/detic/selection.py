"""From 256 boxes with C scores each to one image's detections."""

from __future__ import annotations

import torch
from torch import Tensor
from torchvision.ops import batched_nms, nms

_SPLIT_CANDIDATES = 100_000


def select(
    boxes: Tensor, scores: Tensor, score_thr: float, nms_iou: float, limit: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Boxes (N, 4), scores (N, C) -> boxes (M, 4), scores (M,), labels (M,), M <= limit, sorted.

    A candidate is a box and class with a score above `score_thr`. Candidates of overlapping boxes
    suppress each other whatever their classes, so a box keeps its best class only.
    """
    candidate = scores > score_thr
    if int(candidate.sum()) >= _SPLIT_CANDIDATES:
        # The released configuration runs on an NMS that then works class by class
        rows, labels = candidate.nonzero(as_tuple=True)
        keep = batched_nms(boxes[rows], scores[rows, labels], labels, nms_iou)
    else:
        # The other classes of a box have its IoU of 1. A box without area has no IoU with
        # anything, so all of its classes stay.
        best = torch.zeros_like(candidate).scatter_(1, scores.argmax(1, keepdim=True), True)
        flat = (boxes[:, 2:] - boxes[:, :2]).prod(dim=1) == 0
        rows, labels = (candidate & (best | flat[:, None])).nonzero(as_tuple=True)
        keep = nms(boxes[rows], scores[rows, labels], nms_iou)
    rows, labels = rows[keep[:limit]], labels[keep[:limit]]
    return boxes[rows], scores[rows, labels], labels
