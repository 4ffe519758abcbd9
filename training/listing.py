"""A list of file names in one file that is mapped into memory, with what tells if it still holds.

The file: five int64 (version, number of names, their bytes, left out, bytes of the folders), the
names one after the other, where each begins, and the folders with their modification times as
JSON. Eleven million names take some 0.5 GB on the disk, once for all processes.
"""

from __future__ import annotations

import hashlib
import json
import os
from array import array
from pathlib import Path
from types import TracebackType

import numpy as np

from masa_core.io.atomic import part_path
from training.walk import folder_time

_VERSION = 1
_HEADER = 5  # numbers of 8 bytes


class Listing:
    """The names in a file that a `Writer` wrote. digest: of the names and their order.

    Raises ValueError for another file, OSError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._map()

    def _map(self) -> None:
        data = np.memmap(self._path, np.uint8, mode="r")
        if len(data) < 8 * _HEADER:
            raise ValueError(f"{self._path} is no list of images")
        header = data[: 8 * _HEADER].view(np.int64).tolist()
        version, count, size, self.left_out, folders = header
        starts_at = 8 * _HEADER + size + -size % 8
        folders_at = starts_at + 8 * (count + 1)
        if version != _VERSION or len(data) != folders_at + folders:
            raise ValueError(f"{self._path} is a list of images of another version, or cut off")
        self._names = data[8 * _HEADER :]
        self._starts = data[starts_at:folders_at].view(np.int64)
        content = json.loads(bytes(data[folders_at:]))
        self.digest: str = content["digest"]
        self.folders: dict[str, int] = content["folders"]

    def __len__(self) -> int:
        return len(self._starts) - 1

    def __getitem__(self, number: int) -> str:
        return os.fsdecode(bytes(self._names[self._starts[number] : self._starts[number + 1]]))

    def still_holds(self) -> bool:
        """Whether no folder has changed since."""
        return all(folder_time(folder) == time for folder, time in self.folders.items())

    def __reduce__(self) -> tuple[type[Listing], tuple[Path]]:
        return Listing, (self._path,)  # another process maps it, too, and copies nothing


class Writer:
    """Writes a list in a `with` block, at whose end the file appears. left_out: set before."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.left_out = 0
        self.folders: dict[str, int] = {}
        self._path = path
        self._part = part_path(path)
        self._file = self._part.open("wb")
        self._file.write(bytes(8 * _HEADER))
        self._starts = array("q", [0])
        self._digest = hashlib.sha256()

    def add(self, name: str) -> None:
        data = os.fsencode(name)
        self._file.write(data)
        self._digest.update(data + b"\0")
        self._starts.append(self._starts[-1] + len(data))

    def __enter__(self) -> Writer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        with self._file:
            if kind is None:
                self._finish()
        if kind is None:
            os.replace(self._part, self._path)
        else:
            self._part.unlink()

    def _finish(self) -> None:
        size = self._starts[-1]
        content = {"digest": self._digest.hexdigest(), "folders": self.folders}
        folders = json.dumps(content).encode()
        self._file.write(bytes(-size % 8) + self._starts.tobytes() + folders)
        self._file.seek(0)
        header = [_VERSION, len(self._starts) - 1, size, self.left_out, len(folders)]
        self._file.write(array("q", header).tobytes())
        self._file.flush()
        os.fsync(self._file.fileno())
