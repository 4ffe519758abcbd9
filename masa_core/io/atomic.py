"""A text file that appears under its name only when it is whole."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TextIO


def part_path(path: Path) -> Path:
    """Where to write what `path` will be: in the same folder, with the same suffix."""
    return path.with_name(f".{path.stem}.part-{os.getpid()}{path.suffix}")


class AtomicText:
    """Writes to a hidden file beside `path`, and puts it in its place at the end.

    Memory does not grow with the text. Raises OSError where the folder cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._part = part_path(path)
        self._file: TextIO = self._part.open("w", encoding="utf-8")

    def write(self, text: str) -> None:
        self._file.write(text)

    def commit(self) -> None:
        """Put the file in its place, over what was there."""
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        os.replace(self._part, self.path)

    def discard(self) -> None:
        """Leave no trace; what was at `path` before stays."""
        self._file.close()
        self._part.unlink(missing_ok=True)
