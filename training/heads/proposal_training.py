"""Distilled proposals: the proposal head learns where the segments of a pool of views are."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional
from torchvision.ops import complete_box_iou_loss

from training.heads.draw import SIDE
from training.heads.mask_training import stack_maps
from training.heads.pool import Pool
from training.heads.proposal_head import LEVELS, STRIDES, ProposalHead, boxes_of, cells
from training.heads.steps import train_head

VIEWS = 8  # of a step
LEARNING_RATE = 2e-3
_TRUST = 3  # power of a segment's score that is its weight: those of people have 1
_RADIUS = 1.5  # strides around the middle of a segment whose cells are to find it
_SIDES = 4.5, 10.0  # a segment's side (root of its area) in strides of the cells that find it


def train_proposals(pool: Pool, steps: int, seed: int) -> ProposalHead:
    """A proposal head after `steps` of AdamW on random views."""

    def loss_of(head: ProposalHead, rng: np.random.RandomState) -> Tensor:
        views = rng.randint(len(pool), size=VIEWS)
        logits, distances = head(stack_maps(pool, views, LEVELS))
        losses = []
        for row, view in enumerate(views):
            segments = pool.rows(view)
            boxes, scores = (
                torch.from_numpy(column[segments]) for column in (pool.boxes, pool.scores)
            )
            losses.append(proposal_loss(logits[row], distances[row], boxes, scores**_TRUST))
        return torch.stack(losses).mean()

    return train_head(ProposalHead, loss_of, steps, seed, LEARNING_RATE, "proposals")


def proposal_loss(logits: Tensor, distances: Tensor, boxes: Tensor, weights: Tensor) -> Tensor:
    """Of one view: logits (cells,), distances (cells, 4); boxes (K, 4) and weights (K,) 0..1.

    A cell is asked for the overlap of its box with the segment, times the segment's weight: what
    people drew ranks above what a program cut. Quality focal loss, and complete-IoU loss of the
    boxes.
    """
    middles, strides = cells(SIDE // STRIDES[0], SIDE // STRIDES[0])
    found = assign_cells(middles, strides, boxes)
    rows = torch.nonzero(found >= 0).flatten()
    truth = boxes[found[rows]]
    chosen = boxes_of(middles[rows], distances[rows])
    with torch.no_grad():
        quality = torch.zeros_like(logits)
        quality[rows] = _iou(chosen, truth) * weights[found[rows]]
    focus = (logits.sigmoid() - quality).abs().square()
    entropy = functional.binary_cross_entropy_with_logits(logits, quality, reduction="none")
    count = max(len(rows), 1)
    box_loss = (complete_box_iou_loss(chosen, truth) * weights[found[rows]]).sum()
    return (focus * entropy).sum() / count + box_loss / count


def assign_cells(middles: Tensor, strides: Tensor, boxes: Tensor) -> Tensor:
    """(cells,) row of the box that a cell is to find, the smallest of several, or -1."""
    if not len(boxes):
        return torch.full((len(middles),), -1)
    offsets = (middles[:, None] - (boxes[:, :2] + boxes[:, 2:]) / 2).abs()
    sides = boxes[:, 2:] - boxes[:, :2]
    near = (offsets < torch.minimum(_RADIUS * strides[:, None, None], sides / 2)).all(dim=2)
    side = sides.prod(dim=1).sqrt() / strides[:, None]
    low = torch.where(strides == STRIDES[0], 0.0, _SIDES[0])[:, None]
    high = torch.where(strides == STRIDES[-1], 1e9, _SIDES[1])[:, None]
    area = torch.where(near & (side >= low) & (side <= high), sides.prod(dim=1), torch.inf)
    best, row = area.min(dim=1)
    return torch.where(best.isinf(), -1, row)


def _iou(a: Tensor, b: Tensor) -> Tensor:
    shared = (torch.minimum(a[:, 2:], b[:, 2:]) - torch.maximum(a[:, :2], b[:, :2])).clamp(min=0)
    both = (a[:, 2:] - a[:, :2]).prod(1) + (b[:, 2:] - b[:, :2]).prod(1)
    return shared.prod(1) / (both - shared.prod(1))
