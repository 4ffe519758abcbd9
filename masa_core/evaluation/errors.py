"""What is wrong with a truth or result file, and where."""

from __future__ import annotations

from pathlib import Path


class FormatError(ValueError):
    """A file that is not what its format wants.

    The message reads ``file:line: reason`` for text and ``file: place: reason`` for JSON, where
    place is a path such as ``frames[3].labels[5].box2d``.
    """

    def __init__(
        self, path: Path, reason: str, *, line: int | None = None, place: str = ""
    ) -> None:
        self.path = path
        self.reason = reason
        self.line = line
        self.place = place
        where = f"{path}:{line}" if line is not None else f"{path}"
        super().__init__(": ".join(part for part in (where, place, reason) if part))
