"""Box arithmetic of the heads, on (N, 4) x1 y1 x2 y2 tensors in pixels."""

from __future__ import annotations

import math

import torch
from torch import Tensor

_MAX_LOG_RATIO = abs(math.log(16 / 1000))


def encode_deltas(anchors: Tensor, boxes: Tensor, stds: tuple[float, ...]) -> Tensor:
    """(N, 4) dx dy dw dh that `decode_deltas` turns back into ``boxes``."""
    width, height = _size(anchors)
    box_width, box_height = _size(boxes)
    shift = (boxes[:, :2] + boxes[:, 2:] - anchors[:, :2] - anchors[:, 2:]) / 2
    deltas = torch.stack(
        (
            shift[:, 0] / width,
            shift[:, 1] / height,
            (box_width / width).log(),
            (box_height / height).log(),
        ),
        dim=1,
    )
    return deltas / deltas.new_tensor(stds)


def decode_deltas(
    anchors: Tensor, deltas: Tensor, stds: tuple[float, ...], size: tuple[int, int]
) -> Tensor:
    """Anchors moved by dx dy dw dh (in units of ``stds``), clipped to a (height, width) image."""
    scaled = deltas * deltas.new_tensor(stds)
    anchor_size = torch.stack(_size(anchors), dim=1)
    centre = (anchors[:, :2] + anchors[:, 2:]) / 2 + scaled[:, :2] * anchor_size
    half = anchor_size * scaled[:, 2:].clamp(-_MAX_LOG_RATIO, _MAX_LOG_RATIO).exp() / 2
    return clip(torch.cat((centre - half, centre + half), dim=1), size)


def clip(boxes: Tensor, size: tuple[int, int]) -> Tensor:
    """Boxes cut to a (height, width) image."""
    height, width = size
    return torch.minimum(boxes.clamp(min=0), boxes.new_tensor((width, height, width, height)))


def _size(boxes: Tensor) -> tuple[Tensor, Tensor]:
    return boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
