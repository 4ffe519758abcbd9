"""Where a run stands, in one file: weights, optimizer, average, random numbers.

A checkpoint is a safetensors file: tensors by name, and JSON in its header for the numbers. It
appears under its name only when it is whole, so a run that was killed goes on from the one before.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from masa_core.io.atomic import whole_file

_PATTERN = "step-*.safetensors"


class CheckpointError(RuntimeError):
    """A checkpoint that cannot be gone on from; one sentence with the remedy."""


@dataclass(frozen=True)
class Checkpoint:
    """step: how many were made. tensors: by "GROUP/NAME". numbers: anything JSON can hold."""

    step: int
    tensors: dict[str, Tensor]
    numbers: dict[str, Any]

    def group(self, name: str) -> dict[str, Tensor]:
        start = f"{name}/"
        return {k[len(start) :]: v for k, v in self.tensors.items() if k.startswith(start)}


def save(
    folder: Path,
    step: int,
    groups: Mapping[str, Mapping[str, Tensor]],
    numbers: Mapping[str, Any],
    keep: int,
) -> Path:
    """Write step-NNNNNNNN.safetensors, then remove all but the last ``keep`` (at least one).

    Raises CheckpointError and OSError where it cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"step-{step:08d}.safetensors"
    tensors = {
        f"{group}/{name}": tensor.detach().cpu().contiguous().clone()
        for group, members in groups.items()
        for name, tensor in members.items()
    }
    with whole_file(path) as part:
        try:
            save_file(tensors, part, {"step": str(step), "numbers": json.dumps(numbers)})
        except SafetensorError as error:  # what it makes of an OSError
            raise CheckpointError(
                f"{path} cannot be written ({error}): make room; the same command goes on from the "
                "checkpoint before, where there is one"
            ) from error
        _sync(part)
    _sync(folder)  # its name must outlast a power cut, too
    for old in checkpoints(folder)[: -max(keep, 1)]:
        old.unlink()
    return path


def checkpoints(folder: Path) -> list[Path]:
    """All of a folder, the oldest first."""
    return sorted(folder.glob(_PATTERN))


def read(path: Path) -> Checkpoint:
    """Raises CheckpointError when the file is damaged."""
    try:
        with safe_open(path, "pt") as file:
            facts = file.metadata() or {}
            tensors = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118
        return Checkpoint(int(facts["step"]), tensors, json.loads(facts["numbers"]))
    except (SafetensorError, OSError, KeyError, ValueError) as error:
        raise CheckpointError(
            f"{path} is damaged ({error}); delete it to go on from the one before"
        ) from error


def _sync(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def optimizer_state(optimizer: Optimizer) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The state as tensors by "PARAMETER.NAME", and whatever of it is a plain number."""
    tensors, numbers = {}, {}
    for index, values in optimizer.state_dict()["state"].items():
        for name, value in values.items():
            kept = tensors if isinstance(value, Tensor) else numbers
            kept[f"{index}.{name}"] = value
    return tensors, numbers


def load_optimizer(
    optimizer: Optimizer, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]
) -> None:
    """What `optimizer_state` gave, for the same parameters. Groups keep their settings."""
    state: dict[int, dict[str, Any]] = {}
    for key, value in {**numbers, **tensors}.items():
        index, _, name = key.partition(".")
        state.setdefault(int(index), {})[name] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def random_state() -> dict[str, Tensor]:
    """Of PyTorch's generators. (NumPy's are made anew for each sample, from its number.)"""
    state = {"cpu": torch.get_rng_state()}
    if torch.cuda.is_available():
        state["cuda"] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: Mapping[str, Tensor]) -> None:
    torch.set_rng_state(state["cpu"])
    if "cuda" in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
