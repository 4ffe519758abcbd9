"""Compact masks: the crop that holds the pixels, and its run lengths as bytes.

The coding is that of masa_ros/Mask. Pixels of the crop are read row by row, left to right. The
runs alternate, background first (so a crop whose first pixel is set starts with a run of 0), and
add up to width x height. Each run length is an unsigned LEB128 number: seven bits a byte, lowest
first, the high bit set on every byte but the last.

Row-major, because that is how ROS images lie in memory; LEB128, because nearly all runs of a
crop are under 128 and then cost one byte.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from masa_core.structures import Mask

_MAX_BYTES = 5  # of one run: 35 bits, far above any image


def encode_runs(pixels: NDArray[np.bool_]) -> bytes:
    """Run lengths of a (height, width) mask, coded as described above."""
    flat = np.ascontiguousarray(pixels, dtype=bool).ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(np.concatenate(([0], edges, [flat.size])))
    if flat.size and flat[0]:
        runs = np.concatenate(([0], runs))
    if runs.max(initial=0) < 0x80:
        return runs.astype(np.uint8).tobytes()
    shifts = 7 * np.arange(_MAX_BYTES)
    digits = (runs[:, None] >> shifts) & 0x7F
    more = (runs[:, None] >> (shifts + 7)) > 0
    used = np.concatenate((np.ones((len(runs), 1), bool), more[:, :-1]), axis=1)
    return (digits | more * 0x80)[used].astype(np.uint8).tobytes()


def decode_runs(runs: bytes, height: int, width: int) -> NDArray[np.bool_]:
    """The (height, width) mask that `encode_runs` coded.

    Raises ValueError when the runs are cut off or do not add up to height x width.
    """
    data = np.frombuffer(runs, np.uint8)
    if data.size and data[-1] & 0x80:
        raise ValueError("mask runs end in the middle of a number")
    last = np.flatnonzero(data < 0x80)  # the last byte of each number
    first = np.concatenate(([0], last[:-1] + 1)) if last.size else last
    place = np.arange(data.size) - np.repeat(first, last - first + 1)
    if place.max(initial=0) >= _MAX_BYTES:
        raise ValueError("mask runs hold a number that is too large")
    values = (data & 0x7F).astype(np.int64) << (7 * place)
    lengths = np.add.reduceat(values, first) if last.size else values
    if lengths.sum() != height * width:
        raise ValueError(f"mask runs cover {lengths.sum()} pixels, the crop has {height} x {width}")
    return np.repeat(np.arange(lengths.size) % 2 == 1, lengths).reshape(height, width)


def encode_mask(pixels: NDArray[np.bool_], x: int = 0, y: int = 0) -> Mask:
    """Compact form of a (H, W) mask whose top-left pixel is (x, y) of the frame.

    The crop is made as small as the set pixels allow; an empty mask has a 0 x 0 crop.
    """
    pixels = np.asarray(pixels, dtype=bool)
    rows = np.flatnonzero(pixels.any(axis=1))
    if rows.size == 0:
        return Mask(x, y, 0, 0, b"")
    columns = np.flatnonzero(pixels[rows[0] : rows[-1] + 1].any(axis=0))
    crop = pixels[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    height, width = crop.shape
    return Mask(x + int(columns[0]), y + int(rows[0]), width, height, encode_runs(crop))


def decode_mask(mask: Mask) -> NDArray[np.bool_]:
    """The (mask.height, mask.width) pixels of the crop. Raises ValueError as `decode_runs`."""
    return decode_runs(mask.runs, mask.height, mask.width)


def mask_boxes(masks: Sequence[Mask]) -> NDArray[np.float32]:
    """(N, 4) x1 y1 x2 y2 px around N masks."""
    boxes = [[mask.x, mask.y, mask.x + mask.width, mask.y + mask.height] for mask in masks]
    return np.array(boxes, np.float32).reshape(-1, 4)


def paste_mask(mask: Mask, height: int, width: int) -> NDArray[np.bool_]:
    """The mask in a whole (height, width) frame; what lies outside of the frame is cut off."""
    frame = np.zeros((height, width), dtype=bool)
    where, pixels = part_in_frame(mask, height, width)
    frame[where] = pixels
    return frame


def part_in_frame(
    mask: Mask, height: int, width: int
) -> tuple[tuple[slice, slice], NDArray[np.bool_]]:
    """Rows and columns of a (height, width) frame that hold a mask's crop, and its pixels there.

    Both are empty where the mask lies outside of the frame.
    """
    y1, y2 = (min(max(y, 0), height) for y in (mask.y, mask.y + mask.height))
    x1, x2 = (min(max(x, 0), width) for x in (mask.x, mask.x + mask.width))
    part = decode_mask(mask)[y1 - mask.y : y2 - mask.y, x1 - mask.x : x2 - mask.x]
    return (slice(y1, y2), slice(x1, x2)), part
