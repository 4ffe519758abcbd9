"""JSON files of truth and results, read with errors that name file, line and place."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from masa_core.evaluation.errors import FormatError
from masa_core.io.coco_rle import run_lengths

_KINDS: dict[type, str] = {
    bool: "true or false",
    dict: "an object",
    int: "a whole number",
    list: "a list",
    str: "a text",
}


def load_json(path: Path) -> Any:
    """The content of a .json file, or of a .json.gz file.

    Raises FileNotFoundError, and FormatError with the line where the text is not JSON.
    """
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not there (or is not a file)")
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return json.loads(data)
    except json.JSONDecodeError as error:
        reason = f"not JSON: {error.msg} (column {error.colno})"
        raise FormatError(path, reason, line=error.lineno) from None
    except (gzip.BadGzipFile, zlib.error, EOFError, ValueError, RecursionError) as error:
        raise FormatError(path, f"cannot be read: {error}") from None


class Reader:
    """One object inside of a JSON file: gives its fields, or says what is wrong with them."""

    def __init__(self, path: Path, place: str, value: Any) -> None:
        self.path = path
        self.place = place
        if not isinstance(value, Mapping):
            raise self.error(f"is {_show(value)}, not an object")
        self._value = value

    def error(self, reason: str, name: str = "") -> FormatError:
        """A FormatError about this object, or about its field ``name``."""
        place = f"{self.place}.{name}" if name and self.place else name or self.place
        return FormatError(self.path, reason, place=place)

    def get(self, name: str, default: Any = None) -> Any:
        """The field as it is, or the default."""
        return self._value.get(name, default)

    def field(self, name: str, kind: type) -> Any:
        """A field that must be there, of type int, str, list or dict. 3.0 counts as an int."""
        if name not in self._value:
            raise self.error(f"has no {name!r}")
        value = self._value[name]
        if kind is int and isinstance(value, float) and value.is_integer():
            value = int(value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.error(f"is {_show(value)}, not {_KINDS[kind]}", name)
        if isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise self.error(f"is {_show(value)}, more than 64 bits hold", name)
        return value

    def number(self, name: str) -> float:
        """A field that must be a finite number."""
        value = self._value.get(name)
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise self.error(f"is {_show(value)}, not a number", name)
        try:
            number = float(value)
        except OverflowError:
            number = np.inf
        if not np.isfinite(number):
            raise self.error(f"is {_show(value)}, not a finite number", name)
        return number

    def numbers(self, name: str, count: int) -> NDArray[np.float64]:
        """A field that must be a list of ``count`` finite numbers."""
        value = self.field(name, list)
        try:
            array = np.array(value, dtype=np.float64)
        except (TypeError, ValueError, OverflowError):
            raise self.error(f"is {_show(value)}, not {count} numbers", name) from None
        if array.shape != (count,) or not np.isfinite(array).all():
            raise self.error(f"is {_show(value)}, not {count} finite numbers", name)
        return array

    def run_lengths(self) -> None:
        """Checks this object, a mask as COCO's run lengths: ``counts`` and ``size``."""
        try:
            run_lengths(self._value)
        except ValueError as error:
            raise self.error(str(error)) from None

    def objects(self, name: str) -> list[Reader]:
        """A field that must be a list of objects."""
        place = f"{self.place}.{name}" if self.place else name
        return read_list(self.path, place, self.field(name, list))


def read_list(path: Path, place: str, values: list[Any]) -> list[Reader]:
    """A list of objects, each with its place in the file."""
    return [Reader(path, f"{place}[{index}]", value) for index, value in enumerate(values)]


def _show(value: Any) -> str:
    text = json.dumps(value, default=str)
    return text if len(text) <= 40 else f"{text[:37]}..."
