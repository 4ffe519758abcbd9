"""Detections of a MOTChallenge text file."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

from masa_core.io.detection_entries import DetectionFileError, Entry, Rows, finite


def read_mot(path: Path) -> list[Entry]:
    """Lines of frame, id, left, top, width, height and, where there is one, the score.

    Frames count from 1; what follows the score is not read, ids are not used. A line without a
    score gets 1. Boxes are taken as they stand: the corner of the image is 0, 0. All labels are 0.

    Raises DetectionFileError with the line and the reason where a line is not like that.
    """
    frames: defaultdict[int, Rows] = defaultdict(Rows)
    with path.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                _read_line(line, frames)
            except ValueError as error:
                raise DetectionFileError(f"{path}:{number}: {error}") from error
    return [Entry(rows.detections(), index=index) for index, rows in frames.items()]


def cells_of(line: str) -> list[str]:
    """What stands between the commas of a line, or between its spaces; none at its end is empty."""
    if "," not in line:
        return line.split()
    cells = [cell.strip() for cell in line.split(",")]
    while cells and not cells[-1]:
        cells.pop()
    return cells


def _read_line(line: str, frames: defaultdict[int, Rows]) -> None:
    fields = cells_of(line)
    if len(fields) < 6:
        raise ValueError(
            f"{len(fields)} columns, expected at least frame, id, left, top, width, height"
        )
    frame = finite(fields[0], "frame number")
    if frame < 1 or frame != int(frame):
        raise ValueError(f"{fields[0]} is not a frame number; the first frame is 1")
    left, top, width, height = (finite(text, "box") for text in fields[2:6])
    score = fields[6] if len(fields) > 6 else 1
    frames[int(frame) - 1].add((left, top, left + width, top + height), score, label=0)
