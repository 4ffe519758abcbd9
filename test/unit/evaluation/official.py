"""Data of the official evaluators, and the comparison with what they printed."""

from __future__ import annotations

import gzip
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

_COMMITTED = Path(__file__).parents[2] / "data" / "metrics"
_SHARED = Path(__file__).parents[4] / "shared" / "metrics"  # more of the same; not in the package

Leaf = float | int | str | None


def official(name: str) -> Path:
    """A file of the official evaluators' inputs and outputs; skips where it is not at hand."""
    for root in (_SHARED, _COMMITTED):
        for path in (root / name, root / f"{name}.gz"):
            if path.exists():
                return path
    pytest.skip(f"{name} is not in the repository")


def unpacked(name: str, target: Path) -> Path:
    """The file at ``target``, unpacked."""
    source = official(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(read_bytes(source))
    return target


def read_bytes(path: Path) -> bytes:
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def read(name: str) -> Any:
    return json.loads(read_bytes(official(name)))


def assert_equal(expected: Any, got: Any, place: str = "") -> int:
    """All leaves of ``expected`` are in ``got``: integers exactly, floats to 1e-9. Their number."""
    if isinstance(expected, dict):
        assert set(expected) <= set(got), f"{place}: {sorted(set(expected) - set(got))} missing"
        return sum(assert_equal(expected[key], got[key], f"{place}/{key}") for key in expected)
    if isinstance(expected, list):
        values = got.tolist() if isinstance(got, np.ndarray) else list(got)
        assert len(values) == len(expected), f"{place}: {len(values)} values"
        pairs = zip(expected, values, strict=True)
        return sum(assert_equal(e, g, f"{place}/{i}") for i, (e, g) in enumerate(pairs))
    _assert_leaf(expected, got, place)
    return 1


def _assert_leaf(expected: Leaf, got: Any, place: str) -> None:
    if expected is None:
        assert got is None or math.isnan(got), f"{place}: {got}, expected NaN"
    elif isinstance(expected, str):
        assert got == float(expected), f"{place}: {got}, expected {expected}"
    elif isinstance(expected, int):
        assert got == expected, f"{place}: {got}, expected {expected}"
    else:
        assert abs(got - expected) <= 1e-9, f"{place}: {got}, expected {expected}"
