"""TinyViT (Wu et al., arXiv 2207.10666) as MobileSAM's image encoder (Zhang et al., 2306.14289).

Convolutions at stride 4, then three stages of attention within windows. MobileSAM leaves out the
last halving, so that the image embedding has stride 16, as SAM's decoder expects it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
import torch.nn.functional as F
from segment_anything.modeling.common import LayerNorm2d
from torch import Tensor, nn

_EXPANSION = 4  # of the hidden layers, in convolutions and MLPs


class TinyViT(nn.Module):
    """Parameter names are those behind "image_encoder." in mobile_sam.pt.

    channels, depths: of the four stages; the first is convolutional. heads, windows: of the other
    three, windows in tokens a side. The defaults are TinyViT-5M, as in MobileSAM.

    forward: (B, 3, size, size) -> one tap (B, channels[-1], size / 16, size / 16). `embed` makes
    the image embedding of it. Any size that 16 divides will do.
    """

    def __init__(
        self,
        channels: Sequence[int] = (64, 128, 160, 320),
        depths: Sequence[int] = (2, 2, 6, 2),
        heads: Sequence[int] = (4, 5, 10),
        windows: Sequence[int] = (7, 14, 7),
        embedding: int = 256,
    ) -> None:
        super().__init__()
        self.patch_embed = _PatchEmbed(channels[0])
        first = _Stage([_Convolution(channels[0]) for _ in range(depths[0])])
        stages = [first]
        for width, depth, head, window in zip(
            channels[1:], depths[1:], heads, windows, strict=True
        ):
            stages.append(_Stage([_Block(width, head, window) for _ in range(depth)]))
        for i, stride in enumerate((2, 2, 1)):
            stages[i].downsample = _Merging(channels[i], channels[i + 1], stride)
        self.layers = nn.Sequential(*stages)
        self.neck = nn.Sequential(
            nn.Conv2d(channels[-1], embedding, 1, bias=False),
            LayerNorm2d(embedding),
            nn.Conv2d(embedding, embedding, 3, padding=1, bias=False),
            LayerNorm2d(embedding),
        )

    def forward(self, images: Tensor) -> list[Tensor]:
        return [self.layers(self.patch_embed(images))]

    def embed(self, last_tap: Tensor) -> Tensor:
        """(B, embedding, h, w): the image embedding."""
        return cast(Tensor, self.neck(last_tap))


class _ConvNorm(nn.Sequential):
    """k x k convolution and batch norm."""

    def __init__(self, inputs: int, outputs: int, k: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.c = nn.Conv2d(inputs, outputs, k, stride, k // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)


class _PatchEmbed(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.seq = nn.Sequential(
            _ConvNorm(3, channels // 2, 3, 2), nn.GELU(), _ConvNorm(channels // 2, channels, 3, 2)
        )

    def forward(self, images: Tensor) -> Tensor:
        return cast(Tensor, self.seq(images))


class _Stage(nn.Module):
    """Blocks, and what leads to the next stage."""

    def __init__(self, blocks: Sequence[nn.Module]) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*blocks)
        self.downsample: nn.Module | None = None

    def forward(self, x: Tensor) -> Tensor:
        x = self.blocks(x)
        return x if self.downsample is None else self.downsample(x)


class _Convolution(nn.Module):
    """Inverted bottleneck: widen, convolve each channel, narrow, add."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        hidden = _EXPANSION * channels
        self.conv1 = _ConvNorm(channels, hidden, 1)
        self.conv2 = _ConvNorm(hidden, hidden, 3, groups=hidden)
        self.conv3 = _ConvNorm(hidden, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.gelu(self.conv2(F.gelu(self.conv1(x))))
        return F.gelu(x + self.conv3(hidden))


class _Merging(nn.Module):
    """To the channels of the next stage, and to half its size where the stride is 2."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = _ConvNorm(inputs, outputs, 1)
        self.conv2 = _ConvNorm(outputs, outputs, 3, stride, groups=outputs)
        self.conv3 = _ConvNorm(outputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x))))))


class _Block(nn.Module):
    """Attention within windows, a convolution across their borders, an MLP; (B, C, H, W)."""

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.attn = _Attention(channels, heads, window)
        self.local_conv = _ConvNorm(channels, channels, 3, groups=channels)
        self.mlp = _Mlp(channels)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2:]
        x = self.local_conv(x + self._attend(x.permute(0, 2, 3, 1))[..., :height, :width])
        return x + self.mlp(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)

    def _attend(self, x: Tensor) -> Tensor:
        """(B, H, W, C) -> (B, C, H', W'), whole windows. Padding takes part as any other token."""
        side = self.window
        x = F.pad(x, (0, 0, 0, -x.shape[2] % side, 0, -x.shape[1] % side))
        batch, height, width, channels = x.shape
        rows, columns = height // side, width // side
        x = x.view(batch, rows, side, columns, side, channels).transpose(2, 3)
        x = self.attn(x.reshape(batch * rows * columns, side * side, channels))
        x = x.view(batch, rows, columns, side, side, channels)
        return x.permute(0, 5, 1, 3, 2, 4).reshape(batch, channels, height, width)


class _Attention(nn.Module):
    """(windows, tokens, C) -> the same. A learned bias for every distance between two tokens."""

    distances: Tensor

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.attention_biases = nn.Parameter(torch.zeros(heads, window * window))
        place = torch.arange(window)
        apart = (place[:, None] - place).abs()
        # tokens are numbered row by row, and so are the distances between them
        distances = apart[:, None, :, None] * window + apart[None, :, None, :]
        self.register_buffer("distances", distances.reshape(window**2, window**2), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        windows, tokens, channels = x.shape
        qkv = self.qkv(self.norm(x)).view(windows, tokens, self.heads, -1).transpose(1, 2)
        query, key, value = qkv.chunk(3, dim=-1)
        bias = self.attention_biases[:, self.distances]
        x = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        return cast(Tensor, self.proj(x.transpose(1, 2).reshape(windows, tokens, channels)))


class _Mlp(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)
        self.fc1 = nn.Linear(channels, _EXPANSION * channels)
        self.fc2 = nn.Linear(_EXPANSION * channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return cast(Tensor, self.fc2(F.gelu(self.fc1(self.norm(x)))))
