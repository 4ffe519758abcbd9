"""Compact masks as COCO's compressed run lengths, the `rle` of Scalabel and BDD100K results."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from masa_core.masks.compact import paste_mask
from masa_core.structures import Mask


def to_coco_rle(mask: Mask, height: int, width: int) -> dict[str, Any]:
    """``{"counts": str, "size": [height, width]}`` of the mask in a frame of that size.

    COCO reads a whole frame column by column, background first. What lies outside of the frame
    is cut off. pycocotools decodes it.
    """
    left = min(max(mask.x, 0), width)
    right = min(max(mask.x + mask.width + 1, left), width)
    # Columns beside the crop are background and need not be painted, but for the one after it,
    # which ends a run that reaches the crop's last pixel.
    columns = paste_mask(replace(mask, x=mask.x - left), height, right - left).T.ravel()
    edges = np.flatnonzero(columns[1:] != columns[:-1]) + 1
    if columns.size and columns[0]:
        edges = np.concatenate(([0], edges))
    edges = edges + left * height
    runs = np.diff(np.concatenate(([0], edges, [height * width])))
    return {"counts": _compress(runs), "size": [height, width]}


def _compress(runs: NDArray[np.int64]) -> str:
    """COCO's text of run lengths: groups of 5 bits, low first, as characters from "0" on.

    From the fourth run on it is the difference to the run two before that is written, since
    neighbouring columns of a mask resemble each other.
    """
    values = runs.copy()
    values[3:] -= runs[1:-2]
    text = bytearray()
    for value in values.tolist():
        more = True
        while more:
            group = value & 0x1F
            value >>= 5
            more = value != (-1 if group & 0x10 else 0)
            text.append(48 + (group | 0x20 if more else group))
    return text.decode("ascii")
