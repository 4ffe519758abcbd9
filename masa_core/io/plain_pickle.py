"""Reads pickles of arrays and plain containers, and nothing else: no code of a file is ever run.

A pickle is a program. The one who unpickles decides which names it may call; here these are
stand-ins for the few that numpy writes, and everything they build is checked and built anew.
"""

from __future__ import annotations

import io
import pickle
from pathlib import Path
from typing import Any

import numpy as np

# numpy.core in files of NumPy 1, numpy._core in those of NumPy 2
_MODULES = ("numpy",) + tuple(
    f"numpy.{core}.{part}" for core in ("core", "_core") for part in ("multiarray", "numeric")
)
_KINDS = "biufSU"  # booleans, numbers and text: no objects, which would bring a pickle of their own


def read_plain_pickle(path: Path) -> Any:
    """What the file holds: dicts, lists, tuples, sets, text, numbers and numpy arrays of them.

    Raises ValueError, with the file and the reason, for a damaged file or one that asks for
    anything else; OSError where it cannot be opened.
    """
    content = path.read_bytes()
    try:
        return _finish(_Reader(io.BytesIO(content)).load(), {})
    except pickle.UnpicklingError as error:
        raise ValueError(f"{path}: {error}") from error
    except RecursionError as error:
        raise ValueError(
            f"{path}: its containers are nested too deep, or hold themselves"
        ) from error
    except Exception as error:
        # A damaged pickle can fail in any way that its instructions can
        raise ValueError(f"{path} is not a pickle, or damaged: {error}") from error


class _Reader(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if module in _MODULES and name in _NUMPY:
            return _NUMPY[name]
        if (module, name) == ("_codecs", "encode"):
            return _latin1
        if (module, name) == ("collections", "OrderedDict"):
            return dict
        if module in ("builtins", "__builtin__") and name in _BUILTINS:
            return _BUILTINS[name]
        raise pickle.UnpicklingError(
            f"asks for {module}.{name}, which could run code; only numpy arrays and plain "
            "containers are read. If you trust the file, convert it to COCO JSON"
        )

    def persistent_load(self, pid: Any) -> Any:
        raise pickle.UnpicklingError("refers to objects outside of itself")


class _DType:
    """Stands in for numpy.dtype: keeps the type's code and byte order."""

    __slots__ = ("value",)

    def __init__(self, code: str, *_flags: bool) -> None:
        self.value = np.dtype(str(code))
        if self.value.kind not in _KINDS:
            raise pickle.UnpicklingError(f"holds an array of type {code!r}, not of numbers or text")

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        if state[1] in ("<", ">"):
            self.value = self.value.newbyteorder(state[1])


class _Array:
    """Stands in for the empty array that numpy's pickles fill by __setstate__."""

    __slots__ = ("value",)

    def __init__(self, *_type_shape_code: Any) -> None:
        self.value = np.zeros(0)

    def __setstate__(self, state: tuple[int, tuple[int, ...], _DType, bool, bytes]) -> None:
        _, shape, dtype, fortran, data = state
        self.value = _array(data, dtype, shape, "F" if fortran else "C")


def _array(data: bytes, dtype: _DType, shape: tuple[int, ...], order: Any) -> np.ndarray:
    # reshape checks the size; a copy, because the memory of bytes cannot be written to
    return np.frombuffer(data, dtype.value).reshape(shape, order=order).copy()


def _scalar(dtype: _DType, data: bytes) -> Any:
    return np.frombuffer(data, dtype.value)[0]


def _latin1(text: str, encoding: str = "latin1") -> bytes:
    """How old pickle protocols write bytes."""
    if encoding != "latin1":
        raise pickle.UnpicklingError(f"asks for the encoding {encoding!r}")
    return text.encode("latin1")


_NUMPY = {
    "dtype": _DType,
    "ndarray": type(None),  # only named as an argument of _reconstruct, never called
    "_reconstruct": _Array,
    "_frombuffer": _array,
    "scalar": _scalar,
}
_BUILTINS: dict[str, Any] = {
    "set": set,
    "frozenset": frozenset,
    "bytes": lambda: b"",  # how old protocols write empty bytes; they never pass an argument
}


def _finish(value: Any, done: dict[int, Any]) -> Any:
    """The stand-ins in a structure replaced by what they stand for.

    done: results by the id of what they were made from. What a file names twice is one object,
    and must stay one, or a small file could grow to any size.
    """
    if isinstance(value, _Array | _DType):
        return value.value
    if not isinstance(value, dict | list | tuple):
        return value
    if id(value) not in done:
        if isinstance(value, dict):
            done[id(value)] = {key: _finish(item, done) for key, item in value.items()}
        else:
            done[id(value)] = type(value)(_finish(item, done) for item in value)
    return done[id(value)]
