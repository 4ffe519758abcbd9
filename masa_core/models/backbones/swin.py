"""Swin transformer backbone, as the Grounding DINO (window 12) and Detic (window 7) models use it.

Liu et al., "Swin Transformer", arXiv 2103.14030. The parameter names are those of the official
checkpoints. Feature maps run channels-last, (B, H, W, C), inside the backbone.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_ELSEWHERE = -100.0  # added to the logits of pairs that only the cyclic shift put side by side


class Swin(nn.Module):
    """Images to feature maps of strides 8, 16 and 32, each after its own LayerNorm.

    The defaults are Swin-B: 256, 512 and 1024 channels. `window` is 7 (Detic) or 12 (Grounding
    DINO).
    """

    def __init__(
        self,
        window: int,
        dims: int = 128,
        depths: Sequence[int] = (2, 2, 18, 2),
        heads: Sequence[int] = (4, 8, 16, 32),
        taps: Sequence[int] = (1, 2, 3),
    ) -> None:
        super().__init__()
        self.taps = tuple(taps)
        self.channels = tuple(dims << tap for tap in taps)
        self.patch_embed = PatchEmbed(dims)
        last = len(depths) - 1
        self.stages = nn.ModuleList(
            Stage(dims << i, depth, head, window, merge=i < last)
            for i, (depth, head) in enumerate(zip(depths, heads, strict=True))
        )
        for tap in self.taps:
            self.add_module(f"norm{tap}", nn.LayerNorm(dims << tap))

    def forward(self, images: Tensor) -> list[Tensor]:
        """(B, 3, H, W) normalised images -> maps (B, C, h, w), fine to coarse; any H and W."""
        x = self.patch_embed(images)
        maps = []
        for i, stage in enumerate(self.stages):
            x, after_merging = stage(x)
            if i in self.taps:
                maps.append(self.get_submodule(f"norm{i}")(x).permute(0, 3, 1, 2).contiguous())
            x = after_merging
        return maps


class PatchEmbed(nn.Module):
    def __init__(self, dims: int, patch: int = 4) -> None:
        super().__init__()
        self.patch = patch
        self.projection = nn.Conv2d(3, dims, patch, stride=patch)
        self.norm = nn.LayerNorm(dims)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        images = F.pad(images, (0, -width % self.patch, 0, -height % self.patch))
        return self.norm(self.projection(images).permute(0, 2, 3, 1))


class Stage(nn.Module):
    """Blocks of one resolution; every second one shifts its windows by half a window."""

    def __init__(self, dims: int, depth: int, heads: int, window: int, merge: bool) -> None:
        super().__init__()
        self.window = window
        self.blocks = nn.ModuleList(
            Block(dims, heads, window, shift=window // 2 if i % 2 else 0) for i in range(depth)
        )
        self.downsample = PatchMerging(dims) if merge else None

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The map of this stage, and the one that the next stage starts from."""
        mask = shift_mask(x, self.window, self.window // 2)
        for block in self.blocks:
            x = block(x, mask)
        return x, x if self.downsample is None else self.downsample(x)


class Block(nn.Module):
    def __init__(self, dims: int, heads: int, window: int, shift: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dims)
        self.attn = ShiftedWindows(dims, heads, window, shift)
        self.norm2 = nn.LayerNorm(dims)
        self.ffn = FeedForward(dims)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        x = x + self.attn(self.norm1(x), mask)
        return x + self.ffn(self.norm2(x))


class FeedForward(nn.Module):
    def __init__(self, dims: int, ratio: int = 4) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Sequential(nn.Linear(dims, ratio * dims), nn.GELU()), nn.Linear(ratio * dims, dims)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class ShiftedWindows(nn.Module):
    """Attention within windows of a map that is zero-padded to whole windows and rolled."""

    def __init__(self, dims: int, heads: int, window: int, shift: int) -> None:
        super().__init__()
        self.window, self.shift = window, shift
        self.w_msa = WindowAttention(dims, heads, window)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        height, width = x.shape[1:3]
        x = F.pad(x, (0, 0, 0, -width % self.window, 0, -height % self.window))
        if self.shift:
            x = x.roll((-self.shift, -self.shift), dims=(1, 2))
        windows = self.w_msa(to_windows(x, self.window), mask if self.shift else None)
        x = from_windows(windows, x)
        if self.shift:
            x = x.roll((self.shift, self.shift), dims=(1, 2))
        return x[:, :height, :width]


class WindowAttention(nn.Module):
    """Multi-head attention of the window^2 tokens of each window, with relative position bias."""

    relative_position_index: Tensor

    def __init__(self, dims: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dims, 3 * dims)
        self.proj = nn.Linear(dims, dims)
        self.relative_position_bias_table = nn.Parameter(torch.zeros((2 * window - 1) ** 2, heads))
        nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
        self.register_buffer("relative_position_index", relative_position_index(window))

    def forward(self, windows: Tensor, mask: Tensor | None) -> Tensor:
        """(B, n, T, C) tokens of n windows -> the same shape. mask: (n, 1, T, T), additive."""
        batch, n, tokens, dims = windows.shape
        qkv = self.qkv(windows).view(batch * n, tokens, 3, self.heads, dims // self.heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        bias = self.relative_position_bias_table[self.relative_position_index.flatten()]
        bias = bias.view(tokens, tokens, self.heads).permute(2, 0, 1)
        if mask is not None:
            bias = (bias + mask).repeat(batch, 1, 1, 1)
        out = F.scaled_dot_product_attention(query, key, value, attn_mask=bias)
        # A copy by name: the ONNX exporter takes a reshape of this for a view, which it is not.
        out = out.transpose(1, 2).clone(memory_format=torch.contiguous_format)
        return self.proj(out.view(windows.shape))


def relative_position_index(window: int) -> Tensor:
    """(window^2, window^2) int64: which row of the bias table a pair of tokens has."""
    y, x = torch.meshgrid(torch.arange(window), torch.arange(window), indexing="ij")
    y, x = y.flatten(), x.flatten()
    dy, dx = y[:, None] - y[None], x[:, None] - x[None]
    return (dy + window - 1) * (2 * window - 1) + dx + window - 1


class PatchMerging(nn.Module):
    """Halves the map: the 2 x 2 pixels side by side in feature index c*4 + row*2 + column.

    That order is F.unfold's. The original Swin (and transformers) interleave differently, so
    their weights need their columns reordered, see `masa_core.models.gdino.pretrained`.
    """

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(4 * dims)
        self.reduction = nn.Linear(4 * dims, 2 * dims, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[1:3]
        x = F.pad(x, (0, 0, 0, width % 2, 0, height % 2))
        batch, height, width, dims = x.shape
        x = x.view(batch, height // 2, 2, width // 2, 2, dims).permute(0, 1, 3, 5, 2, 4)
        return self.reduction(self.norm(x.flatten(3)))


def to_windows(x: Tensor, window: int) -> Tensor:
    """(B, H, W, C) -> (B, n, window^2, C); H and W are multiples of the window."""
    batch, height, width, dims = x.shape
    x = x.view(batch, height // window, window, width // window, window, dims)
    return x.transpose(2, 3).reshape(batch, -1, window * window, dims)


def from_windows(windows: Tensor, like: Tensor) -> Tensor:
    """Undo `to_windows`; `like` has the shape of the map."""
    batch, height, width, dims = like.shape
    window = int(windows.shape[2] ** 0.5)
    x = windows.view(batch, height // window, width // window, window, window, dims)
    return x.transpose(2, 3).reshape(batch, height, width, dims)


def shift_mask(x: Tensor, window: int, shift: int) -> Tensor:
    """(n, 1, T, T) additive mask between tokens that are not neighbours in the unrolled map."""
    bands = []
    for size in x.shape[1:3]:
        place = torch.arange(size + -size % window, device=x.device)
        # 0: whole windows, 1: what stays of the last window, 2: what was rolled in from the start
        bands.append((place >= len(place) - window).int() + (place >= len(place) - shift).int())
    region = (3 * bands[0][:, None] + bands[1][None])[None, :, :, None]
    region = to_windows(region, window)[0, :, :, 0]
    return (region[:, None, :, None] != region[:, None, None, :]).to(x.dtype) * _ELSEWHERE
