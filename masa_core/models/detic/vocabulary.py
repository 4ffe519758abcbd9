"""Detic's classes of one's own: their names, and text embeddings for its classifier."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from masa_core.runtime.protocol import Model, ModelError


def use_vocabulary(model: Model, path: str | Path) -> tuple[str, ...]:
    """Let the Detic in a model detect the classes of a file (see `read_vocabulary`); their names.

    Raises ModelError for a model without Detic, and what `read_vocabulary` raises.
    """
    detector = getattr(model, "detector", None)
    if detector is None or not hasattr(detector, "set_vocabulary"):
        raise ModelError(f"{model.name} takes no vocabulary; masa_detic does")
    names, embeddings = read_vocabulary(path)
    try:
        detector.set_vocabulary(names, embeddings)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
    return tuple(names)


def read_vocabulary(path: str | Path) -> tuple[list[str], Tensor]:
    """C class names, and their (C, 512) float32 embeddings.

    path: NAME.npy, with the names in NAME.txt beside it, one a line; or a .txt with the names
    alone, which are then embedded by CLIP, if this machine has it. Raises ValueError for files
    that are not there or do not hold that, ModelError where CLIP is missing.
    """
    path = Path(path).expanduser()
    if path.suffix not in (".npy", ".txt"):
        raise ValueError(f"{path}: a vocabulary is a .npy with embeddings, or a .txt with names")
    if not path.is_file():
        raise ValueError(f"{path} is not there")
    names = _read_names(path.with_suffix(".txt"))
    if path.suffix == ".txt":
        from masa_core.models.detic.clip_text import embed_names

        return names, embed_names(names)
    embeddings = read_class_embeddings(path)
    if len(names) != len(embeddings):
        raise ValueError(
            f"{path} has embeddings of {len(embeddings)} classes, and {path.with_suffix('.txt')} "
            f"the names of {len(names)}"
        )
    return names, embeddings


def _read_names(path: Path) -> list[str]:
    if not path.is_file():
        raise ValueError(f"{path} is not there: it must have the names of the classes, one a line")
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8: {error}") from error
    names = [line.strip() for line in lines if line.strip()]
    if not names:
        raise ValueError(f"{path} names no class")
    if double := sorted({name for name in names if names.count(name) > 1}):
        raise ValueError(f"{path} names {double[0]!r} more than once")
    return names


def read_class_embeddings(path: str | Path) -> Tensor:
    """(C, D) float32 embeddings, one row a class, of a .npy file.

    Raises ValueError when the file does not hold such an array (pickled objects included).
    """
    try:
        array = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise ValueError(f"{path}: not a .npy file of numbers: {error}") from error
    if not isinstance(array, np.ndarray) or array.ndim != 2 or array.dtype.kind != "f":
        raise ValueError(f"{path}: expected a (classes, 512) array of floats, one row a class")
    if not np.isfinite(array).all():
        raise ValueError(f"{path}: holds a value that is not a finite number")
    return torch.from_numpy(array.astype(np.float32))
