"""Mask distillation: the mask head learns the segments of a pool of views."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from training.heads.draw import MARGIN, SIDE
from training.heads.mask_head import SIZE, MaskHead
from training.heads.pool import TAPS, Pool
from training.heads.steps import train_head
from training.losses.masks import mask_loss

VIEWS, BOXES = 4, 10  # of a step: views, and boxes of each
LEARNING_RATE = 3e-3
_TRUST = 12  # power of a segment's score that it is drawn by: those of people have 1
JITTER = 0.1  # of a box's sides at most, in parts of its width and height


def train_masks(pools: Sequence[Pool], steps: int, seed: int) -> MaskHead:
    """A mask head after `steps` of AdamW on random views and boxes, from each pool as often."""

    def loss_of(head: MaskHead, rng: np.random.RandomState) -> Tensor:
        pool = pools[rng.randint(len(pools))]
        maps, boxes, image_of_box, masks = draw_batch(pool, rng)
        seen = jitter(boxes, rng)
        losses = mask_loss(head(seen, image_of_box, maps), mask_targets(masks, boxes, seen))
        return torch.stack(list(losses.values())).sum()

    return train_head(MaskHead, loss_of, steps, seed, LEARNING_RATE, "masks")


def draw_batch(
    pool: Pool, rng: np.random.RandomState
) -> tuple[dict[str, Tensor], Tensor, Tensor, Tensor]:
    """Maps of VIEWS views, boxes (N, 4), the view of each (N,), masks (N, GRID, GRID) uint8.

    Views are drawn alike, segments by their scores.
    """
    rows: list[NDArray[np.int64]] = []
    views = rng.choice(np.flatnonzero(np.diff(pool.first)), VIEWS)
    for view in views:
        segments = pool.rows(view)
        weights = pool.scores[segments].astype(np.float64) ** _TRUST
        # With replacement: a box that people drew comes again, moved, before a lesser one does.
        drawn = rng.choice(len(weights), BOXES, p=weights / weights.sum())
        rows.append(segments.start + drawn)
    image_of_box = np.repeat(np.arange(VIEWS), BOXES)
    flat = np.concatenate(rows)
    return (
        stack_maps(pool, views, tuple(TAPS)),
        torch.from_numpy(pool.boxes[flat]),
        torch.from_numpy(image_of_box),
        torch.from_numpy(pool.masks[flat]),
    )


def stack_maps(pool: Pool, views: NDArray[np.int64], names: tuple[str, ...]) -> dict[str, Tensor]:
    """Maps (V, C, h, w) float32 of some views, laid out as convolutions on a CPU like them."""
    return {
        name: torch.from_numpy(pool.maps[name][views])
        .float()
        .contiguous(memory_format=torch.channels_last)
        for name in names
    }


def jitter(boxes: Tensor, rng: np.random.RandomState) -> Tensor:
    """Boxes as a detector might give them: some right, some with every side off by a part."""
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(1, 2)
    amount = rng.uniform(0, JITTER, (len(boxes), 1)) * rng.uniform(-1, 1, (len(boxes), 4))
    return (boxes + sides * torch.from_numpy(amount).float()).clamp(0, SIDE)


def mask_targets(masks: Tensor, boxes: Tensor, seen: Tensor) -> Tensor:
    """(N, SIZE, SIZE) share of each cell of the boxes `seen` that the segment covers.

    masks: (N, GRID, GRID) uint8 over `boxes` with MARGIN, as a pool keeps them.
    """
    sides = boxes[:, 2:] - boxes[:, :2]
    corner, extent = boxes[:, :2] - MARGIN * sides, (1 + 2 * MARGIN) * sides
    low = (seen[:, :2] - corner) / extent * 2 - 1  # as grid_sample counts: -1 to 1
    high = (seen[:, 2:] - corner) / extent * 2 - 1
    steps = (torch.arange(2 * SIZE) + 0.5) / (2 * SIZE)
    x, y = (low[:, i, None] + (high - low)[:, i, None] * steps for i in (0, 1))
    count = len(boxes), 2 * SIZE, 2 * SIZE
    grid = torch.stack((x[:, None, :].expand(count), y[:, :, None].expand(count)), dim=-1)
    fine = functional.grid_sample(masks[:, None].float() / 255, grid, align_corners=False)
    return functional.avg_pool2d(fine, 2)[:, 0]
