"""A class-agnostic mask for each box, read from the adapter's pyramid (ours, not the paper's)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from masa_core.models.layers import ConvNorm
from masa_core.models.roi_align import pool

ROI = 14  # bins a side; masks have twice as many


class RoiMaskHead(nn.Module):
    """forward: levels and (N, 5) rois (image index, box in pixels of the input) -> (N, 28, 28)
    logits over each box."""

    def __init__(self, channels: int, strides: Sequence[int]) -> None:
        super().__init__()
        self.strides = tuple(strides)
        self.convs = nn.Sequential(
            *(ConvNorm(channels, channels, 3, "gn", relu=True) for _ in range(3))
        )
        self.upsample = nn.ConvTranspose2d(channels, channels, 2, stride=2)
        self.logits = nn.Conv2d(channels, 1, 1)

    def forward(self, levels: Sequence[Tensor], rois: Tensor) -> Tensor:
        return self.of_pooled(pool(levels, rois, self.strides, ROI))

    def of_pooled(self, pooled: Tensor) -> Tensor:
        """The same from (N, channels, 14, 14) pooled features."""
        logits: Tensor = self.logits(self.upsample(self.convs(pooled)).relu())
        return logits[:, 0]
