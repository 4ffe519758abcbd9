"""CenterNet2's class-agnostic proposals: a heatmap of objectness and four distances a cell.

Zhou et al., "Probabilistic two-stage detection", arXiv 2103.07461.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import nms

from masa_core.models.layers import ConvNorm

STRIDES = (8, 16, 32, 64, 128)

_MIN_HEAT = 1e-4
_MAX_PER_LEVEL = 1000
_NMS_IOU = 0.9
_MAX_PROPOSALS = 256


class ProposalHead(nn.Module):
    """One tower for all levels; only the scale of the distances is a level's own."""

    def __init__(self, channels: int = 256, levels: int = len(STRIDES)) -> None:
        super().__init__()
        self.reg_convs = nn.ModuleList(
            ConvNorm(channels, channels, 3, "gn", relu=True, bias=True) for _ in range(4)
        )
        self.conv_cls = nn.Conv2d(channels, 1, 3, padding=1)
        self.conv_reg = nn.Conv2d(channels, 4, 3, padding=1)
        self.scales = nn.ModuleList(Scale() for _ in range(levels))

    def forward(self, maps: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        """Per level: heatmap logits (B, 1, h, w); distances l, t, r, b (B, 4, h, w), in strides."""
        heat, distances = [], []
        for x, scale in zip(maps, self.scales, strict=True):
            for conv in self.reg_convs:
                x = conv(x)
            heat.append(self.conv_cls(x))
            distances.append(scale(self.conv_reg(x)).relu())
        return heat, distances

    def propose(self, maps: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """Up to 256 boxes (N, 4), px of the resized frame, and scores (N,), best first; one image.

        Boxes are not clipped. Their scores are the square root of the heatmap, and weigh in the
        final score.
        """
        heat, distances = self(maps)
        levels = list(map(candidates, heat, distances, STRIDES))
        boxes = torch.cat([level[0] for level in levels])
        scores = torch.cat([level[1] for level in levels])
        keep = nms(boxes, scores, _NMS_IOU)[:_MAX_PROPOSALS]
        return boxes[keep], scores[keep]


class Scale(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(1.0))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


def candidates(heat: Tensor, distances: Tensor, stride: int) -> tuple[Tensor, Tensor]:
    """Boxes and scores of one level of one image: the hottest cells, at most 1000."""
    width = heat.shape[-1]
    heat = heat[0, 0].flatten().float().sigmoid()
    cells = (heat > _MIN_HEAT).nonzero()[:, 0]
    if len(cells) > _MAX_PER_LEVEL:
        cells = cells[heat[cells].topk(_MAX_PER_LEVEL).indices]
    left, top, right, bottom = (distances[0].flatten(1)[:, cells].float() * stride).unbind()
    x, y = (cells % width + 0.5) * stride, (cells // width + 0.5) * stride
    x1, y1 = x - left, y - top
    # A cell may see no extent at all: its box is given one, so that it has an area
    x2, y2 = torch.maximum(x + right, x1 + 0.01), torch.maximum(y + bottom, y1 + 0.01)
    boxes = torch.stack((x1, y1, x2, y2), dim=1)
    solid = (x2 > x1) & (y2 > y1)  # far from the origin 0.01 px are lost in rounding
    return boxes[solid], heat[cells][solid].sqrt()
