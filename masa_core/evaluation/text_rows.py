"""What the lines of MOTChallenge's and KITTI's text files have in common."""

from __future__ import annotations

from pathlib import Path

from masa_core.evaluation.errors import FormatError

LARGEST_FRAME = 10_000_000  # TrackEval goes through all frames up to the last one
LARGEST_ID = 100_000_000  # and makes arrays as long as the largest id


def read_lines(path: Path) -> list[str]:
    """Raises FileNotFoundError, and FormatError for what is not text in UTF-8."""
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there (or is not a file)")
    try:
        return path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError as error:
        raise FormatError(path, f"is not text: {error}") from None


def check_numbers(path: Path, line: int, frame: float, track: float) -> None:
    """Raises FormatError for a frame number or an id that no memory would hold."""
    if frame > LARGEST_FRAME:
        raise FormatError(path, f"frame is {frame:.0f}, above {LARGEST_FRAME}", line=line)
    if track > LARGEST_ID:
        reason = f"id is {track:.0f}, above {LARGEST_ID}: number the tracks from 1"
        raise FormatError(path, reason, line=line)


class Widths:
    """Sees to it that the lines of a frame have the same number of columns: TrackEval wants it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._of_frame: dict[float, int] = {}

    def check(self, line: int, frame: float, columns: int) -> None:
        """Raises FormatError for a line with another number than one before it."""
        before = self._of_frame.setdefault(frame, columns)
        if columns != before:
            reason = f"has {columns} columns, a line before it of frame {frame:.0f} has {before}"
            raise FormatError(self._path, reason, line=line)
