"""Deformable fusion across pyramid levels (adapter, second half; paper section 3.2.2, Eq. 1).

Eq. 1 is written with one convolution; the published weights have three in each block, one for
the level itself, one for the finer and one for the coarser neighbour, each followed by a group
norm. Two flavours: DeformFusion (R50, Grounding DINO, Detic) and DyHeadFusion (SAM).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from masa_core.models.deform_conv import TAPS, DeformConv

_BLOCKS = 3
_GROUPS = 16


class _Branch(nn.Module):
    """A deformable convolution and its group norm."""

    def __init__(self, channels: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = DeformConv(channels, channels, stride)
        self.norm = nn.GroupNorm(_GROUPS, channels)

    def forward(self, x: Tensor, offset: Tensor, mask: Tensor) -> Tensor:
        normed: Tensor = self.norm(self.conv(x, offset, mask))
        return normed


class _Block(nn.Module):
    """What both flavours share: one offset convolution and three branches.

    ``offset_sets``: 1 where the branches share their offsets and masks, 3 where each has its own
    (in the order mid, low, high).
    """

    def __init__(self, channels: int, offset_sets: int) -> None:
        super().__init__()
        self.offset_sets = offset_sets
        self.spatial_conv_high = _Branch(channels)
        self.spatial_conv_mid = _Branch(channels)
        self.spatial_conv_low = _Branch(channels, stride=2)
        self.spatial_conv_offset = nn.Conv2d(channels, offset_sets * 3 * TAPS, 3, padding=1)
        for parameter in self.spatial_conv_offset.parameters():
            nn.init.zeros_(parameter)

    def terms(self, levels: Sequence[Tensor], i: int) -> list[Tensor]:
        """The branches' maps for level i, all of that level's size: mid, low, high as they exist.

        Of the branch "low" (from the finer level) the stride makes the size, of "high" (from the
        coarser one) a bilinear upsampling with aligned corners.
        """
        x = levels[i]
        planes = self.spatial_conv_offset(x)
        split = self.offset_sets * 2 * TAPS
        offsets = planes[:, :split].chunk(self.offset_sets, 1) * (3 // self.offset_sets)
        masks = planes[:, split:].sigmoid().chunk(self.offset_sets, 1) * (3 // self.offset_sets)
        terms = [self.spatial_conv_mid(x, offsets[0], masks[0])]
        if i > 0:
            terms.append(self.spatial_conv_low(levels[i - 1], offsets[1], masks[1]))
        if i + 1 < len(levels):
            high = self.spatial_conv_high(levels[i + 1], offsets[2], masks[2])
            terms.append(
                functional.interpolate(high, size=x.shape[-2:], mode="bilinear", align_corners=True)
            )
        return terms


class _DeformBlock(_Block):
    def __init__(self, channels: int) -> None:
        super().__init__(channels, offset_sets=3)

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        return [_mean(self.terms(levels, i)) for i in range(len(levels))]


class _DyHeadBlock(_Block):
    """With DyHead's scale attention on each term and its task attention (a DyReLU) on the mean."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, offset_sets=1)
        self.scale_attn_module = nn.Sequential(
            nn.AdaptiveAvgPool2d(1), nn.Conv2d(channels, 1, 1), nn.ReLU(), nn.Hardsigmoid()
        )
        self.task_attn_module = _DyReLU(channels)
        for conv in (
            self.scale_attn_module[1],
            self.task_attn_module.conv1.conv,
            self.task_attn_module.conv2.conv,
        ):
            assert isinstance(conv, nn.Conv2d) and conv.bias is not None
            nn.init.normal_(conv.weight, 0, 0.01)
            nn.init.zeros_(conv.bias)

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        fused = []
        for i in range(len(levels)):
            terms = [term * self.scale_attn_module(term) for term in self.terms(levels, i)]
            fused.append(self.task_attn_module(_mean(terms)))
        return fused


class _Conv1x1(nn.Module):
    """A level of naming that the published weights have."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(in_channels, out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(x)
        return out


class _DyReLU(nn.Module):
    """max(a1 x + b1, a2 x + b2), the coefficients of each channel seen from the whole map."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = _Conv1x1(channels, channels // 4)
        self.conv2 = _Conv1x1(channels // 4, channels * 4)

    def forward(self, x: Tensor) -> Tensor:
        mean = functional.adaptive_avg_pool2d(x, 1)
        coefficients = functional.hardsigmoid(self.conv2(self.conv1(mean).relu())) - 0.5
        a1, b1, a2, b2 = coefficients.chunk(4, 1)
        return torch.maximum(x * (2 * a1 + 1) + b1, x * (2 * a2) + b2)


class _Fusion(nn.Module):
    """Blocks in a row; within a block all levels read the block's input."""

    def __init__(self, blocks: Sequence[_Block]) -> None:
        super().__init__()
        self.dyhead_blocks = nn.Sequential(*blocks)

    def forward(self, levels: Sequence[Tensor]) -> list[Tensor]:
        # Sampling reads all channels of a pixel at once: they should lie together.
        packed = [level.contiguous(memory_format=torch.channels_last) for level in levels]
        fused: list[Tensor] = self.dyhead_blocks(packed)
        return fused


class DeformFusion(_Fusion):
    """forward: levels (B, channels, h_i, w_i), fine to coarse -> the same shapes."""

    def __init__(self, channels: int = 256) -> None:
        super().__init__([_DeformBlock(channels) for _ in range(_BLOCKS)])


class DyHeadFusion(_Fusion):
    """forward: levels (B, channels, h_i, w_i), fine to coarse -> the same shapes."""

    def __init__(self, channels: int = 256) -> None:
        super().__init__([_DyHeadBlock(channels) for _ in range(_BLOCKS)])


def _mean(terms: list[Tensor]) -> Tensor:
    total = terms[0]
    for term in terms[1:]:
        total = total + term
    return total / len(terms)
