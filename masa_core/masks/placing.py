"""Masks of a mask head, one small grid a box, in the frame."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from masa_core.masks.compact import encode_mask
from masa_core.structures import Mask


def place_masks(
    probabilities: NDArray[np.float32], boxes: NDArray[np.float32], height: int, width: int
) -> list[Mask]:
    """Masks (N, h, w) stretched over boxes (N, 4) px of a (height, width) frame, cut at 0.5."""
    return [
        _place_mask(probability, box, height, width)
        for probability, box in zip(probabilities, boxes, strict=True)
    ]


def _place_mask(
    probability: NDArray[np.float32], box: NDArray[np.float32], height: int, width: int
) -> Mask:
    x1, y1, x2, y2 = (float(edge) for edge in box)
    left, columns = _bilinear_weights(x1, x2, width, probability.shape[1])
    top, rows = _bilinear_weights(y1, y2, height, probability.shape[0])
    return encode_mask(rows @ probability @ columns.T >= 0.5, left, top)


def _bilinear_weights(
    low: float, high: float, limit: int, cells: int
) -> tuple[int, NDArray[np.float32]]:
    """The first pixel near low..high, and what each pixel takes of each of the mask's cells.

    Bilinear sampling is separable, so two such (pixels, cells) matrices place a mask. Beyond the
    mask's border its value falls to zero.
    """
    first = min(max(int(np.floor(low)) - 1, 0), limit)
    last = min(int(np.ceil(high)) + 1, limit)
    pixels = np.arange(first, max(first, last), dtype=np.float32) + 0.5
    if high > low:
        place = (pixels - low) / (high - low) * cells - 0.5
    else:  # a box without extent shows the middle of its mask
        place = np.full_like(pixels, (cells - 1) / 2)
    return first, np.maximum(0, 1 - np.abs(place[:, None] - np.arange(cells, dtype=np.float32)))
