"""RoI features of Detic's second stage."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

from masa_core.models.roi_align import as_rois, pool

_STRIDES = (8, 16, 32)  # P6 and P7 only propose
_FINEST_PX = 112  # twice what the heads of MASA use


def pool_boxes(maps: Sequence[Tensor], boxes: Tensor, size: int) -> Tensor:
    """(N, C, size, size) features of boxes (N, 4), px of the resized frame."""
    return pool(maps, as_rois(boxes), _STRIDES, size, _FINEST_PX)
