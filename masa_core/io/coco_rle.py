"""Compact masks as COCO's compressed run lengths, the `rle` of Scalabel and BDD100K results."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from masa_core.masks.compact import encode_mask, paste_mask
from masa_core.structures import Mask

_MAX_GROUP = 8  # of a number, from 0: 45 bits, far above any image


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


def from_coco_rle(rle: Mapping[str, Any]) -> Mask:
    """The mask of ``{"counts": str, bytes or list of int, "size": [height, width]}``.

    Raises ValueError when the runs are damaged or do not fill the frame.
    """
    runs, height = run_lengths(rle)
    ends = np.cumsum(runs)
    marked = np.flatnonzero(runs[1::2]) * 2 + 1
    if not marked.size:
        return encode_mask(np.zeros((0, 0), bool))
    # Only the columns that the mask reaches are painted: of a large frame, they are few.
    left, right = int(ends[marked[0] - 1]) // height, int(ends[marked[-1]] - 1) // height + 1
    edges = np.clip(ends, left * height, right * height)
    runs = np.diff(np.concatenate(([left * height], edges)))
    columns = np.repeat(np.arange(len(runs)) % 2 == 1, runs)
    return encode_mask(columns.reshape(right - left, height).T, x=left)


def run_lengths(rle: Mapping[str, Any]) -> tuple[NDArray[np.int64], int]:
    """The runs of ``{"counts": ..., "size": ...}``, background first, and the frame's height.

    Raises ValueError as `from_coco_rle`. pycocotools takes any runs, and overlaps nonsense.
    """
    try:
        height, width = (int(side) for side in rle["size"])
        counts = rle["counts"]
        runs = np.asarray(counts if isinstance(counts, list) else _expand(counts), np.int64)
    except (KeyError, TypeError, ValueError, IndexError, OverflowError) as error:
        raise ValueError(f"a mask's run lengths cannot be read: {error!r}") from error
    pixels = height * width
    within = runs.ndim == 1 and height >= 0 and runs.min(initial=0) >= 0
    if not within or runs.max(initial=0) > pixels or runs.sum() != pixels:
        raise ValueError(f"a mask's run lengths do not fill its frame of {width}x{height} px")
    return runs, height


def _expand(text: str | bytes) -> NDArray[np.int64]:
    """Undo `_compress`."""
    data = np.frombuffer(text.encode("ascii") if isinstance(text, str) else text, np.uint8)
    groups = data.astype(np.int64) - 48
    if groups.size == 0:
        return groups
    if groups.min() < 0 or groups.max() >= 64:
        raise ValueError("a character that means nothing")
    last = np.flatnonzero(groups < 0x20)  # the last group of each number
    if last.size == 0 or last[-1] != groups.size - 1:
        raise ValueError("they end in the middle of a number")
    first = np.concatenate(([0], last[:-1] + 1))
    place = np.arange(groups.size) - np.repeat(first, last - first + 1)
    if place.max() > _MAX_GROUP:
        raise ValueError("a number is too large")
    runs = np.add.reduceat((groups & 0x1F) << (5 * place), first)
    runs -= (groups[last] & 0x10) << (5 * place[last] + 1)  # the sign
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs


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
