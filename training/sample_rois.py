"""Random samples of candidate boxes, so that a loss sees positives and negatives in proportion.

All draws come from a torch.Generator on the CPU: one per image, seeded by the caller, makes a
sample independent of the device, of the batch, and of what else is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from training.assign import BOX_RULE, NEGATIVE, TRACK_RULE, assign

ANCHORS = 256  # a view, at most half of them positive
BOX_ROIS = 512  # at most a quarter positive
TRACK_ROIS = 512  # at most half positive
TRACK_NEGATIVES = 3  # at most, for each positive


@dataclass(frozen=True, eq=False)
class RoiSample:
    """Rois of one view, positives first.

    boxes: (P + Q, 4) float32 xyxy px. truth_rows: (P,) int64 rows of the ground truth.
    ids: (P + Q,) int64 instance ids; 0 for the Q negatives.
    """

    boxes: Tensor
    truth_rows: Tensor
    ids: Tensor

    @property
    def positives(self) -> Tensor:
        """(P, 4) boxes of the positives."""
        return self.boxes[: len(self.truth_rows)]


def choose(rows: Tensor, count: int, generator: Generator) -> Tensor:
    """At most ``count`` of (N,) rows, at random."""
    if len(rows) <= count:
        return rows
    order = torch.randperm(len(rows), generator=generator)[: max(count, 0)]
    return rows[order.to(rows.device)]


def sample_anchors(assigned: Tensor, generator: Generator) -> tuple[Tensor, Tensor]:
    """Rows of positive and of negative anchors, from what `training.assign.assign` says of each."""
    positive = choose(_rows(assigned >= 0), ANCHORS // 2, generator)
    negative = choose(_rows(assigned == NEGATIVE), ANCHORS - len(positive), generator)
    return positive, negative


def sample_box_rois(
    truth: Tensor, ids: Tensor, proposals: Tensor, generator: Generator
) -> RoiSample:
    """What the distilled box head learns from in one view: up to 512 rois, a quarter positive.

    truth: (M, 4) ground-truth boxes, which are candidates themselves; ids: (M,) int64;
    proposals: (N, 4). M and N may be 0.
    """
    candidates = torch.cat((truth, proposals))
    assigned = assign(candidates, truth, BOX_RULE)
    assigned[: len(truth)] = torch.arange(len(truth), device=truth.device)
    positive = choose(_rows(assigned >= 0), BOX_ROIS // 4, generator)
    negative = choose(_rows(assigned == NEGATIVE), BOX_ROIS - len(positive), generator)
    return _sample(candidates, assigned, ids, positive, negative)


def sample_track_rois(
    truth: Tensor, ids: Tensor, proposals: Tensor, generator: Generator
) -> RoiSample:
    """What the track head learns from in one view: up to 256 positives of instances in balance.

    Arguments as in `sample_box_rois`. At most 512 rois and three negatives for each positive. Of
    the key view, only the positives are used; of the reference view, all.
    """
    candidates = torch.cat((truth, proposals))
    assigned = assign(candidates, truth, TRACK_RULE)
    assigned[: len(truth)] = torch.arange(len(truth), device=truth.device)
    positive = choose_balanced(assigned, TRACK_ROIS // 2, generator)
    quota = min(TRACK_ROIS - len(positive), TRACK_NEGATIVES * len(positive))
    negative = choose(_rows(assigned == NEGATIVE), quota, generator)
    return _sample(candidates, assigned, ids, positive, negative)


def choose_balanced(assigned: Tensor, count: int, generator: Generator) -> Tensor:
    """At most ``count`` positive rows, about equally many of each instance.

    Each gives at most round(count / instances) + 1; a rest is filled at random, an excess is left
    out at random.
    """
    positive = _rows(assigned >= 0)
    if len(positive) <= count:
        return positive
    instances = assigned[positive].unique()
    quota = round(count / len(instances)) + 1
    chosen = torch.cat([choose(_rows(assigned == i), quota, generator) for i in instances])
    if len(chosen) < count:
        left = torch.ones_like(assigned, dtype=torch.bool)
        left[chosen] = False
        rest = _rows(left & (assigned >= 0))
        chosen = torch.cat((chosen, choose(rest, count - len(chosen), generator)))
    return choose(chosen, count, generator)


def _rows(mask: Tensor) -> Tensor:
    return torch.nonzero(mask).flatten()


def _sample(
    candidates: Tensor, assigned: Tensor, ids: Tensor, positive: Tensor, negative: Tensor
) -> RoiSample:
    truth_rows = assigned[positive]
    return RoiSample(
        candidates[torch.cat((positive, negative))],
        truth_rows,
        torch.cat((ids[truth_rows], ids.new_zeros(len(negative)))),
    )
