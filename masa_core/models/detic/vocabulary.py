"""Text embeddings of class names for Detic's classifier."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor


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
