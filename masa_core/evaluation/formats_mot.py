"""MOTChallenge text: one box a line, ``frame,id,left,top,width,height,score,class,...``.

Frames count from 1. In a truth file the seventh column is 1 for a box that is evaluated and 0
for one that is not, the eighth is the class (1 is a pedestrian). A sequence is a folder with
``gt/gt.txt`` and ``seqinfo.ini``; results are one ``SEQUENCE.txt`` each.
"""

from __future__ import annotations

import configparser
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from masa_core.evaluation.errors import FormatError
from masa_core.evaluation.text_rows import Widths, check_numbers, read_lines
from masa_core.io.detection_txt import cells_of

_COLUMNS = ("frame", "id", "left", "top", "width", "height", "score", "class")


@dataclass(frozen=True)
class MotRows:
    """The N lines of one file.

    frames, ids, classes: (N,) int64, frames from 1, classes 1 where the file has no such column.
    boxes: (N, 4) float64, left, top, width, height in pixels. scores: (N,) float64.
    """

    frames: NDArray[np.int64]
    ids: NDArray[np.int64]
    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]
    classes: NDArray[np.int64]


def read_mot(path: Path, truth: bool = False) -> MotRows:
    """Read a truth file (eight columns or more) or a result file (seven or more).

    Raises FormatError with the line for too few columns, lines of a frame that differ in their
    number, text in place of a number, a frame below 1, a negative id or size, a frame or id that is
    far too large, and an id that comes twice in one frame.
    """
    wanted, widths = 8 if truth else 7, Widths(path)
    rows = [
        _parse(path, number, line, wanted, widths)
        for number, line in enumerate(read_lines(path), 1)
    ]
    table = np.array(rows, dtype=np.float64).reshape(len(rows), len(_COLUMNS))
    frames, ids = table[:, 0].astype(np.int64), table[:, 1].astype(np.int64)
    _check_unique(path, frames, ids)
    return MotRows(frames, ids, table[:, 2:6], table[:, 6], table[:, 7].astype(np.int64))


def _parse(path: Path, number: int, line: str, wanted: int, widths: Widths) -> list[float]:
    cells = cells_of(line)
    if len(cells) < wanted:
        reason = f"has {len(cells)} columns, needs {wanted}: {', '.join(_COLUMNS[:wanted])}"
        raise FormatError(path, reason, line=number)
    values = []
    names = (*_COLUMNS, *(f"column {count}" for count in range(len(_COLUMNS) + 1, len(cells) + 1)))
    for name, cell in zip(names, cells, strict=False):
        try:
            values.append(float(cell))
        except ValueError:
            raise FormatError(path, f"{name} is {cell!r}, not a number", line=number) from None
    if not np.isfinite(values).all():
        raise FormatError(path, "holds a number that is not finite", line=number)
    for name, value in zip(_COLUMNS[:2], values, strict=False):
        if not value.is_integer():
            raise FormatError(path, f"{name} is {value}, not a whole number", line=number)
    if values[0] < 1:
        raise FormatError(path, f"frame is {values[0]:.0f}, frames count from 1", line=number)
    if values[1] < 0:
        raise FormatError(path, f"id is {values[1]:.0f}, ids are not negative", line=number)
    check_numbers(path, number, values[0], values[1])
    widths.check(number, values[0], len(cells))
    if values[4] < 0 or values[5] < 0:
        reason = f"width and height are {values[4]} and {values[5]}; negative sizes are no box"
        raise FormatError(path, reason, line=number)
    return [*values, 1.0][: len(_COLUMNS)]


def _check_unique(path: Path, frames: NDArray[np.int64], ids: NDArray[np.int64]) -> None:
    order = np.lexsort((ids, frames))
    same = (np.diff(frames[order]) == 0) & (np.diff(ids[order]) == 0)
    if same.any():
        row = int(order[1:][same].min())
        reason = f"id {ids[row]} comes twice in frame {frames[row]}"
        raise FormatError(path, reason, line=row + 1)


def sequence_length(folder: Path) -> int | None:
    """Number of frames that ``seqinfo.ini`` of a sequence's folder gives; None without the file.

    Raises FormatError where the file is there and does not give it.
    """
    path = folder / "seqinfo.ini"
    if not path.is_file():
        return None
    parser = configparser.ConfigParser()
    try:
        parser.read(path, encoding="utf-8")
        return int(parser["Sequence"]["seqLength"])
    except (configparser.Error, KeyError, ValueError) as error:
        raise FormatError(path, f"gives no seqLength in [Sequence] ({error})") from None
