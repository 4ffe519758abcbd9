"""Which ground-truth box, if any, a candidate box is to learn."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.ops import box_iou

NEGATIVE = -1
IGNORED = -2
_CHUNK = 64  # ground-truth boxes at once: with all anchors of a 1024 px view, about 70 MB


@dataclass(frozen=True)
class Rule:
    """IoU from which a candidate is positive, and below which it is negative.

    low_quality: IoU from which the best candidates of a ground-truth box are its positives even
    where they are not above ``positive``; None for no such rescue.
    """

    positive: float
    negative: float
    low_quality: float | None = None


RPN_RULE = Rule(positive=0.7, negative=0.3, low_quality=0.3)
BOX_RULE = Rule(positive=0.5, negative=0.5)
TRACK_RULE = Rule(positive=0.7, negative=0.3)


@torch.no_grad()
def assign(candidates: Tensor, truth: Tensor, rule: Rule) -> Tensor:
    """(N,) int64 row of ``truth`` for each candidate, or NEGATIVE, or IGNORED in between.

    candidates: (N, 4), truth: (M, 4) float32 boxes xyxy; N and M may be 0. A candidate goes to
    the box that it overlaps most. With ``low_quality``, every candidate that overlaps a box as
    much as its best one does goes to that box; the last such box wins.
    """
    best = torch.zeros(len(candidates), device=candidates.device)
    row = torch.zeros(len(candidates), dtype=torch.int64, device=candidates.device)
    rescued = torch.full_like(row, NEGATIVE)
    for start in range(0, len(truth) if len(candidates) else 0, _CHUNK):
        iou = box_iou(truth[start : start + _CHUNK].float(), candidates.float())
        overlap, chosen = iou.max(dim=0)
        better = overlap > best
        best = torch.where(better, overlap, best)
        row = torch.where(better, chosen + start, row)
        if rule.low_quality is not None:
            most = iou.max(dim=1, keepdim=True).values
            rescue, rescued_here = torch.nonzero(
                (iou == most) & (most >= rule.low_quality), as_tuple=True
            )
            rescued.scatter_reduce_(0, rescued_here, rescue + start, "amax")
    result = torch.full_like(row, IGNORED)
    result[best < rule.negative] = NEGATIVE
    result = torch.where(best >= rule.positive, row, result)
    return torch.where(rescued >= 0, rescued, result)
