"""Feature pyramids: from a backbone's taps to five levels of equal width (adapter, first half)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from masa_core.models.layers import ConvNorm, Norm

LEVELS = 5


class _TopDown(nn.Module):
    """Lateral 1x1, top-down addition, 3x3 output, then coarser levels by subsampling."""

    def __init__(self, in_channels: Sequence[int], out_channels: int, norm: Norm | None) -> None:
        super().__init__()
        self.lateral_convs = nn.ModuleList(
            ConvNorm(channels, out_channels, 1, norm) for channels in in_channels
        )
        self.fpn_convs = nn.ModuleList(
            ConvNorm(out_channels, out_channels, 3, norm) for _ in in_channels
        )
        for block in (*self.lateral_convs, *self.fpn_convs):
            conv = block.get_submodule("conv")
            assert isinstance(conv, nn.Conv2d)
            nn.init.xavier_uniform_(conv.weight)
            if conv.bias is not None:
                nn.init.zeros_(conv.bias)

    def merge(self, taps: Sequence[Tensor]) -> list[Tensor]:
        sums = [lateral(tap) for lateral, tap in zip(self.lateral_convs, taps, strict=True)]
        for i in range(len(sums) - 1, 0, -1):
            finer = sums[i - 1]
            sums[i - 1] = finer + functional.interpolate(sums[i], size=finer.shape[-2:])
        levels = [conv(total) for conv, total in zip(self.fpn_convs, sums, strict=True)]
        while len(levels) < LEVELS:
            levels.append(levels[-1][..., ::2, ::2])
        return levels


class FPN(_TopDown):
    """Pyramid with batch norms for taps of halving size (R50, Grounding DINO, Detic).

    forward: taps, fine to coarse, (B, in_channels[i], h_i, w_i) -> five (B, out_channels, ., .)
    levels; the first ones have the taps' sizes, each further one half (rounded up) of the last.
    """

    def __init__(self, in_channels: Sequence[int], out_channels: int = 256) -> None:
        super().__init__(in_channels, out_channels, "bn")

    def forward(self, taps: Sequence[Tensor]) -> list[Tensor]:
        return self.merge(taps)


class SimpleFPN(_TopDown):
    """Pyramid for a plain ViT, whose four taps have one size (SAM; paper, supplement on SAM).

    forward: four (B, in_channels, h, w) taps, first block first -> five (B, out_channels, ., .)
    levels with 4, 2, 1, 1/2 and 1/4 times the taps' size.
    """

    def __init__(self, in_channels: int, out_channels: int = 256) -> None:
        super().__init__([in_channels] * 4, out_channels, None)
        self.fpn1 = nn.Sequential(
            nn.ConvTranspose2d(in_channels, in_channels, 2, stride=2),
            _ChannelNorm(in_channels),
            nn.GELU(),
            nn.ConvTranspose2d(in_channels, in_channels, 2, stride=2),
        )
        self.fpn2 = nn.Sequential(nn.ConvTranspose2d(in_channels, in_channels, 2, stride=2))

    def forward(self, taps: Sequence[Tensor]) -> list[Tensor]:
        first, second, third, fourth = taps
        coarse = functional.max_pool2d(fourth, 2)
        return self.merge([self.fpn1(first), self.fpn2(second), third, coarse])


class _ChannelNorm(nn.Module):
    """Layer norm over the channels of (B, C, H, W)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.ln = nn.LayerNorm(channels, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.ln(x.permute(0, 2, 3, 1))
        return normed.permute(0, 3, 1, 2)
