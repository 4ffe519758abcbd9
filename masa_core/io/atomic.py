"""Files that appear under their names only when they are whole."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import TextIO


def part_path(path: Path) -> Path:
    """Where to write what `path` will be: in the same folder, with the same suffix.

    Raises OSError where `path` is there and no file: /dev/null would be replaced by one.
    """
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is no file that could be replaced: name another")
    return path.with_name(f".{path.stem}.part-{os.getpid()}{path.suffix}")


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Where to write what `path` will be when the block has ended without an error."""
    part = part_path(path)
    try:
        yield part
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """A whole file at once. Raises OSError, and leaves what was there before."""
    with AtomicText(path) as file:
        file.write(text)


class AtomicText:
    """Writes to a hidden file beside `path`, and puts it in its place at the end.

    In a `with` block, that is where it ends without an error. Memory does not grow with the text.
    Raises OSError where the folder cannot be written to.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._part = part_path(path)
        self._file: TextIO = self._part.open("w", encoding="utf-8")

    def write(self, text: str) -> None:
        self._file.write(text)

    def commit(self) -> None:
        """Put the file in its place, over what was there."""
        try:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
            os.replace(self._part, self.path)
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        """Leave no trace; what was at `path` before stays."""
        try:
            self._file.close()
        finally:
            self._part.unlink(missing_ok=True)

    def __enter__(self) -> AtomicText:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if kind is None:
            self.commit()
        else:
            self.discard()
