"""Reference vectors of the published models (test/data/golden/README.md)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

FOLDER = Path(__file__).parents[2] / "data" / "golden"


def arrays(name: str) -> dict[str, NDArray]:
    with np.load(FOLDER / f"{name}.npz") as archive:
        return {key: archive[key] for key in archive.files}


def tensors(name: str) -> dict[str, Tensor]:
    return {key: torch.from_numpy(value) for key, value in arrays(name).items()}


def load(module: nn.Module, vectors: dict[str, Tensor], prefix: str) -> None:
    """Give the module its reference weights, all of them, and put it into eval mode."""
    found = {k[len(prefix) :]: v for k, v in vectors.items() if k.startswith(prefix)}
    module.load_state_dict(found)
    module.eval()


def assert_close(actual: Tensor, expected: Tensor, tolerance: float = 2e-4) -> None:
    """|a - b| <= tolerance * max(1, max|b|), the stated bound of the vectors."""
    assert actual.shape == expected.shape
    bound = tolerance * max(1.0, expected.abs().max().item())
    assert (actual - expected).abs().max().item() <= bound
