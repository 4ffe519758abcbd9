"""Objects of any kind, from maps of a frozen detector: one box for each cell of four strides."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import nms

from training.heads.pool import TAPS

LEVELS = ("stride8", "stride16", "stride32")
STRIDES = (8, 16, 32, 64)  # the last one is pooled from the one before
_CANDIDATES, _NMS_IOU, _KEEP = 600, 0.7, 100


class ProposalHead(nn.Module):
    """forward: maps by name, (B, C, h, w) each -> logits (B, cells), distances (B, cells, 4).

    Distances are those of a cell's middle to the left, top, right and bottom side, px of the
    input. Cells are read row by row, one stride after the other.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        self.narrow = nn.ModuleList(nn.Conv2d(TAPS[name][0], width, 1) for name in LEVELS)
        self.conv1 = nn.Conv2d(width, width, 3, padding=1)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.objectness = nn.Conv2d(width, 1, 3, padding=1)
        self.sides = nn.Conv2d(width, 4, 3, padding=1)
        nn.init.constant_(self.objectness.bias, -4.0)  # few cells hold the middle of an object
        nn.init.constant_(self.sides.bias, 1.0)

    def forward(self, maps: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        levels = [conv(maps[name]).relu() for conv, name in zip(self.narrow, LEVELS, strict=True)]
        levels.append(functional.max_pool2d(levels[-1], 3, 2, 1))
        logits, distances = [], []
        for level, stride in zip(levels, STRIDES, strict=True):
            hidden = self.conv2(self.conv1(level).relu()).relu()
            logits.append(self.objectness(hidden).flatten(1))
            sides = functional.softplus(self.sides(hidden)) * stride
            distances.append(sides.flatten(2).transpose(1, 2))
        return torch.cat(logits, 1), torch.cat(distances, 1)


def cells(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Middles (cells, 2) x y and stride (cells,) of each cell, px; height, width: of stride 8."""
    middles, strides = [], []
    for stride in STRIDES:
        y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
        middles.append((torch.stack((x, y), dim=-1).reshape(-1, 2) + 0.5) * stride)
        strides.append(torch.full((height * width,), float(stride)))
        height, width = (height + 1) // 2, (width + 1) // 2
    return torch.cat(middles), torch.cat(strides)


def boxes_of(middles: Tensor, distances: Tensor) -> Tensor:
    """(..., 4) x1 y1 x2 y2 of the cells' boxes."""
    return torch.cat((middles - distances[..., :2], middles + distances[..., 2:]), dim=-1)


def select(logits: Tensor, boxes: Tensor, size: Tensor) -> tuple[Tensor, Tensor]:
    """The best boxes (M, 4) of one image, inside of its (2,) height and width, and scores (M,)."""
    scores, order = logits.sigmoid().topk(_CANDIDATES)
    boxes = torch.minimum(boxes[order].clamp(min=0), size.flip(0).repeat(2))
    kept = nms(boxes, scores, _NMS_IOU)[:_KEEP]
    return boxes[kept], scores[kept]
