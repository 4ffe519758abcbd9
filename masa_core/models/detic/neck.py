"""Detic's own pyramid: strides 8 to 128 from the backbone's strides 8, 16 and 32."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence

import torch.nn.functional as F
from torch import Tensor, nn


class Neck(nn.Module):
    """Feature pyramid (arXiv 1612.03144) with two more levels by strided convolution.

    Other than the pyramid of the adapter it has no norm, and its extra levels are learned.
    """

    def __init__(self, channels: Sequence[int], out: int = 256) -> None:
        super().__init__()
        self.lateral_convs = nn.ModuleList(_conv(c, out, 1) for c in channels)
        self.fpn_convs = nn.ModuleList(_conv(out, out, 3) for _ in channels)
        self.fpn_convs.extend(_conv(out, out, 3, stride=2) for _ in range(2))

    def forward(self, taps: Sequence[Tensor]) -> list[Tensor]:
        """Backbone maps, fine to coarse -> P3..P7, each (B, out, h, w)."""
        sums = [conv(tap) for conv, tap in zip(self.lateral_convs, taps, strict=True)]
        for i in range(len(sums) - 1, 0, -1):
            sums[i - 1] = sums[i - 1] + F.interpolate(sums[i], size=sums[i - 1].shape[-2:])
        maps = [conv(x) for conv, x in zip(self.fpn_convs[:-2], sums, strict=True)]
        p6 = self.fpn_convs[-2](maps[-1])
        return [*maps, p6, self.fpn_convs[-1](p6.relu())]


def _conv(channels: int, out: int, kernel: int, stride: int = 1) -> nn.Module:
    return nn.Sequential(OrderedDict(conv=nn.Conv2d(channels, out, kernel, stride, kernel // 2)))
