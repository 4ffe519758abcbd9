"""Modulated deformable 3x3 convolution (DCNv2), by gathering rows and one matrix product."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

TAPS = 9  # of a 3x3 kernel
_TILE = 1024  # output pixels sampled at a time: their columns then stay in the last cache
_IMAGES = 16


def flat_read(planes: Tensor, channels: int, height: int, width: int) -> Tensor:
    """The first values of each image of ``planes``, as (B, channels, height, width).

    The published weights were trained with an operator that is given offset maps larger than its
    output and reads them as one flat buffer, row length and all of the *output*. The result looks
    scrambled, but the weights know it, so it is part of the model. The values are taken in the
    logical (channel, row, column) order, however they lie in memory.
    """
    wanted = channels * height * width
    flat = planes.flatten(1)
    if flat.shape[1] < wanted:
        raise ValueError(
            f"offsets of shape {tuple(planes.shape)} cannot serve an output of {height} x {width}"
        )
    return flat[:, :wanted].view(-1, channels, height, width)


def deform_conv(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, stride: int) -> Tensor:
    """(B, Cout, Ho, Wo) from x (B, C, H, W); Ho = ceil(H / stride), Wo likewise.

    offset: (B, 18, h, w), (dy, dx) of each tap in pixels of x; mask: (B, 9, h, w); both at least
    as large as the output and read by `flat_read`. Pixels outside of x count as zero. Positions
    are computed in float32 whatever the type of x: half precision would place a sample in a
    256 px wide map no better than to 1/8 px.
    """
    batch, channels, height, width = x.shape
    out_height, out_width = -(-height // stride), -(-width // stride)
    rows, shares = _corners(
        flat_read(offset, 2 * TAPS, out_height, out_width),
        flat_read(mask, TAPS, out_height, out_width),
        (height, width),
        stride,
    )
    pixels = x.permute(0, 2, 3, 1).reshape(-1, channels)
    shares = shares.to(x.dtype)
    kernel = weight.permute(0, 2, 3, 1).reshape(-1, TAPS * channels)
    tiles = []
    for start in range(0, len(rows), _TILE * TAPS):
        tile = slice(start, start + _TILE * TAPS)
        columns = functional.embedding_bag(
            rows[tile], pixels, per_sample_weights=shares[tile], mode="sum"
        )
        tiles.append(_product(columns.view(-1, TAPS * channels), kernel))
    out = torch.cat(tiles).view(batch, out_height, out_width, -1)
    return out.permute(0, 3, 1, 2)


def _product(columns: Tensor, kernel: Tensor) -> Tensor:
    """(M, Cout) from columns (M, K) and kernel (Cout, K)."""
    if columns.device.type != "cpu" or columns.dtype != torch.float32:
        return functional.linear(columns, kernel)
    # torch leaves float32 matrix products to MKL, which on AMD uses half of the vectors' width.
    # oneDNN uses all of it, and gets convolutions, on one thread with a 1x1 kernel only those of
    # 16 images and more.
    count = len(columns)
    if count % _IMAGES:
        columns = functional.pad(columns, (0, 0, 0, -count % _IMAGES))
    images = columns.view(_IMAGES, -1, 1, columns.shape[1]).permute(0, 3, 1, 2)
    out = functional.conv2d(images, kernel[..., None, None])
    return out.permute(0, 2, 3, 1).reshape(-1, len(kernel))[:count]


def _corners(
    offset: Tensor, mask: Tensor, size: tuple[int, int], stride: int
) -> tuple[Tensor, Tensor]:
    """The four pixels around every sample and their shares of it, mask included.

    Returns ((B * Ho * Wo * 9, 4) int32 rows of the pixel table, float32 shares of that shape).
    """
    batch, _, out_height, out_width = offset.shape
    height, width = size
    # (B, 9, Ho, Wo) -> (B, Ho, Wo, 9): a sample's taps lie side by side in the columns.
    moved = offset.float().view(batch, TAPS, 2, out_height, out_width).permute(0, 3, 4, 1, 2)
    tap = torch.arange(TAPS, device=offset.device)
    top = torch.arange(out_height, device=offset.device) * stride - 1
    left = torch.arange(out_width, device=offset.device) * stride - 1
    y = moved[..., 0] + (top.view(-1, 1, 1) + tap // 3)
    x = moved[..., 1] + (left.view(-1, 1) + tap % 3)
    y_index, y_share = _neighbours(y, height)
    x_index, x_share = _neighbours(x, width)
    image = torch.arange(0, batch * height * width, height * width, device=offset.device).int()
    rows = image.view(-1, 1, 1, 1, 1, 1) + y_index[..., :, None] * width + x_index[..., None, :]
    y_share = y_share * mask.float().permute(0, 2, 3, 1)[..., None]
    shares = y_share[..., :, None] * x_share[..., None, :]
    return rows.view(-1, 4), shares.reshape(-1, 4)


def _neighbours(position: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """The two whole positions around each one, (..., 2), and their linear shares (0 outside)."""
    low = position.floor()
    high_share = position - low
    index = torch.stack((low, low + 1), dim=-1)
    share = torch.stack((1 - high_share, high_share), dim=-1)
    share = share * ((index >= 0) & (index < size))
    return index.clamp(0, size - 1).int(), share


class DeformConv(nn.Module):
    """3x3, padding 1, no bias. ``weight`` is (out_channels, in_channels, 3, 3)."""

    operator = staticmethod(deform_conv)  # an export and a measurement put others in its place

    def __init__(self, in_channels: int, out_channels: int, stride: int = 1) -> None:
        super().__init__()
        self.stride = stride
        self.weight = nn.Parameter(torch.empty(out_channels, in_channels, 3, 3))
        bound = (in_channels * TAPS) ** -0.5
        nn.init.uniform_(self.weight, -bound, bound)

    def forward(self, x: Tensor, offset: Tensor, mask: Tensor) -> Tensor:
        return self.operator(x, offset, mask, self.weight, self.stride)
