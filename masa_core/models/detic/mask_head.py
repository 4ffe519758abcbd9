"""Detic's mask head."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from masa_core.models.detic.rois import pool_boxes
from masa_core.models.layers import ConvNorm


class MaskHead(nn.Module):
    """Mask R-CNN's head (arXiv 1703.06870) with one mask for all classes."""

    def __init__(self, channels: int = 256) -> None:
        super().__init__()
        self.convs = nn.ModuleList(ConvNorm(channels, channels, 3, relu=True) for _ in range(4))
        self.upsample = nn.ConvTranspose2d(channels, channels, 2, stride=2)
        self.conv_logits = nn.Conv2d(channels, 1, 1)

    def forward(self, maps: Sequence[Tensor], boxes: Tensor) -> Tensor:
        """Logits (N, 28, 28) inside boxes (N, 4), px of the resized frame."""
        x = pool_boxes(maps, boxes, 14)
        for conv in self.convs:
            x = conv(x)
        return self.conv_logits(self.upsample(x).relu())[:, 0]
