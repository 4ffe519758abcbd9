"""KITTI's text: tracking labels, and masks of KITTI MOTS as text or as PNG files.

A tracking label is ``frame id type truncated occluded alpha x1 y1 x2 y2 height width length x y z
rotation [score]``; a mask ``frame id class height width rle``, classes 1 (car), 2 (pedestrian) and
10 (ignored). Frames count from 0. In a PNG of 16 bits a pixel is ``class * 1000 + instance``, and
10000 where it is ignored.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from masa_core.evaluation.errors import FormatError
from masa_core.evaluation.text_rows import Widths, check_numbers, read_lines
from masa_core.io.coco_rle import run_lengths

TYPES = ("car", "van", "truck", "pedestrian", "person", "cyclist", "tram", "misc", "dontcare")
_LABEL_NUMBERS = (
    "frame",
    "id",
    "type",
    "truncated",
    "occluded",
    "alpha",
    "x1",
    "y1",
    "x2",
    "y2",
    "height",
    "width",
    "length",
    "x",
    "y",
    "z",
    "rotation",
)
_MASK_NUMBERS = ("frame", "id", "class", "height", "width")
_IGNORED = 10

Rows = list[list[str]]  # the cells of each line; the frame is the first


def read_kitti_labels(path: Path) -> Rows:
    """Lines of a tracking label or result file, types in lower case.

    Raises FormatError with the line for too few columns, lines of a frame that differ in their
    number, text in place of a number, an unknown type and an id that comes twice in a frame.
    """
    rows = []
    seen: set[tuple[float, float]] = set()
    widths = Widths(path)
    for number, cells in _cells(path, len(_LABEL_NUMBERS), _LABEL_NUMBERS):
        kind = cells[2].lower()
        cells[2] = "person" if kind == "person_sitting" else kind
        if cells[2] not in TYPES:
            raise FormatError(path, f"unknown type {cells[2]!r}", line=number)
        cells = cells[: len(_LABEL_NUMBERS) + 1]
        _check_numbers(path, number, cells, (*_LABEL_NUMBERS, "score"), texts=(2,))
        widths.check(number, float(cells[0]), len(cells))
        if cells[2] != "dontcare":
            _check_unique(path, number, cells, seen)
        rows.append(cells)
    return rows


def read_kitti_masks(path: Path) -> Rows:
    """Lines of a KITTI MOTS file. Raises FormatError as `read_kitti_labels`."""
    rows = []
    seen: set[tuple[float, float]] = set()
    for number, cells in _cells(path, 6, (*_MASK_NUMBERS, "rle")):
        _check_numbers(path, number, cells, _MASK_NUMBERS)
        if cells[2] != str(_IGNORED):
            _check_unique(path, number, cells, seen)
        try:
            run_lengths({"counts": cells[5], "size": cells[3:5]})
        except ValueError as error:
            raise FormatError(path, str(error), line=number) from None
        rows.append(cells[:6])
    return rows


def read_kitti_pngs(folder: Path) -> Rows:
    """The masks of a sequence's PNG files, named by their frame, as the lines of a text file."""
    from pycocotools import mask as mask_api

    rows = []
    for path in sorted(folder.glob("*.png")):
        image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        if image is None or image.dtype != np.uint16 or image.ndim != 2:
            raise FormatError(path, "is no PNG with one channel of 16 bits")
        for value in np.unique(image[image > 0]).tolist():
            rle = mask_api.encode(np.asfortranarray(image == value, np.uint8))
            cells = [int(path.stem), value, value // 1000, *image.shape, rle["counts"].decode()]
            rows.append([str(cell) for cell in cells])
    return rows


def read_seqmaps(folder: Path, pattern: str, last_is_count: bool) -> dict[str, int]:
    """Frames of each sequence that files such as ``evaluate_tracking.seqmap.training`` give.

    Their fourth column is the number of frames, or the last frame where not ``last_is_count``.
    """
    lengths = {}
    for path in sorted(folder.glob(pattern)):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            cells = line.split()
            if not cells:
                continue
            if len(cells) < 4 or not cells[3].isdecimal():
                reason = "is not: sequence, empty, first frame, number of frames"
                raise FormatError(path, reason, line=number)
            lengths[cells[0].zfill(4)] = int(cells[3]) + (not last_is_count)
    return lengths


def _cells(path: Path, wanted: int, names: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(read_lines(path), 1):
        cells = line.split()
        if len(cells) < wanted:
            reason = f"has {len(cells)} columns, needs {wanted}: {' '.join(names)}"
            raise FormatError(path, reason, line=number)
        yield number, cells


def _check_numbers(
    path: Path, number: int, cells: list[str], names: tuple[str, ...], texts: tuple[int, ...] = ()
) -> None:
    for column, name in enumerate(names[: len(cells)]):
        if column in texts:
            continue
        try:
            value = float(cells[column])
        except ValueError:
            reason = f"{name} is {cells[column]!r}, not a number"
            raise FormatError(path, reason, line=number) from None
        if not math.isfinite(value):
            raise FormatError(path, f"{name} is {value}, not a finite number", line=number)
        if column < 2 and not value.is_integer():
            raise FormatError(path, f"{name} is {value}, not a whole number", line=number)
    if float(cells[0]) < 0:
        raise FormatError(path, "frame is negative, frames count from 0", line=number)
    check_numbers(path, number, float(cells[0]), float(cells[1]))


def _check_unique(
    path: Path, number: int, cells: list[str], seen: set[tuple[float, float]]
) -> None:
    key = (float(cells[0]), float(cells[1]))
    if key in seen:
        raise FormatError(path, f"id {key[1]:.0f} comes twice in frame {key[0]:.0f}", line=number)
    seen.add(key)
