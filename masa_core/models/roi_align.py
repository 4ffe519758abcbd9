"""RoIAlign over a pyramid: each box is read from the level that suits its size."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torchvision.ops import roi_align


def map_levels(boxes: Tensor, levels: int, finest_scale: float) -> Tensor:
    """(N,) int64 level of each (N, 4) box: 0 below twice finest_scale, one more per doubling."""
    side = ((boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])).sqrt()
    return (side / finest_scale + 1e-6).log2().floor().nan_to_num(0).clamp(0, levels - 1).long()


def pool(
    levels: Sequence[Tensor],
    rois: Tensor,
    strides: Sequence[int],
    size: int = 7,
    finest_scale: float = 56,
) -> Tensor:
    """(N, C, size, size) features of (N, 5) float32 rois: image index, x1, y1, x2, y2.

    The boxes are in pixels of the network's input. ``strides`` are those of the levels to read;
    coarser levels beyond them are ignored. Sampling is as dense as the box needs
    (ceil(side / size) points a bin). The result has the type of the levels, but is computed in
    float32: half precision cannot place a box to better than half a pixel.
    """
    level_of = map_levels(rois[:, 1:], len(strides), finest_scale)
    pooled = levels[0].new_zeros((len(rois), levels[0].shape[1], size, size))
    for i, stride in enumerate(strides):
        chosen = torch.nonzero(level_of == i).flatten()
        if len(chosen):
            read = roi_align(
                levels[i].float(), rois[chosen], size, 1 / stride, sampling_ratio=0, aligned=True
            )
            pooled[chosen] = read.to(pooled.dtype)
    return pooled


def as_rois(boxes: Tensor) -> Tensor:
    """(N, 5) rois in image 0 for (N, 4) boxes."""
    return torch.cat((boxes.new_zeros((len(boxes), 1)), boxes), dim=1)
