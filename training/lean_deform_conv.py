"""Deformable convolution for training on GPUs: torchvision's, which keeps no columns.

masa_core's own keeps all sampled pixels for the backward pass, gigabytes for each view of 1024 px;
it is the quicker one on a CPU, and the one that runs without torchvision's kernels.
"""

from __future__ import annotations

from torch import Tensor
from torchvision.ops import deform_conv2d

from masa_core.models.deform_conv import TAPS, flat_read


def lean_deform_conv(
    x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, stride: int
) -> Tensor:
    """As `masa_core.models.deform_conv.deform_conv`, to rounding."""
    size = [-(-side // stride) for side in x.shape[2:]]
    return deform_conv2d(
        x,
        flat_read(offset, 2 * TAPS, size[0], size[1]),
        weight,
        stride=stride,
        padding=1,
        mask=flat_read(mask, TAPS, size[0], size[1]),
    )
