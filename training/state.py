"""What a run carries from step to step, and its way into a checkpoint and back."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.amp.grad_scaler import GradScaler
from torch.optim import Optimizer

from masa_core.wording import flat
from training import checkpoint
from training.checkpoint import CheckpointError
from training.config import Config
from training.ema import Ema
from training.model import Learner
from training.optimizer import build_optimizer


@dataclass
class State:
    """step: how many were made. skipped: those whose loss was no number."""

    config: Config
    learner: Learner
    optimizer: Optimizer
    scaler: GradScaler
    ema: Ema | None
    data: str  # digest of the list of images
    step: int = 0
    skipped: int = 0
    history: dict[str, Any] = field(default_factory=dict)  # of validation: step -> figures

    @classmethod
    def new(cls, config: Config, learner: Learner, data: str, device: torch.device) -> State:
        learner.learn_all()
        optimizer = build_optimizer(learner.trained().values(), config.optimizer)
        scaler = GradScaler(device.type, enabled=config.run.precision == "fp16")
        ema = Ema(learner.kept(), config.run.ema) if config.run.ema else None
        return cls(config, learner, optimizer, scaler, ema, data)

    @property
    def folder(self) -> Path:
        return self.config.folder / "checkpoints"

    def save(self) -> Path:
        tensors, numbers = checkpoint.optimizer_state(self.optimizer)
        groups = {
            "learner": self.learner.kept(),
            "optimizer": tensors,
            "random": checkpoint.random_state(),
        }
        if self.ema:
            groups["ema"] = self.ema.averages
        facts = {
            "config": decisive(self.config),
            "data": self.data,
            "skipped": self.skipped,
            "history": self.history,
            "optimizer": numbers,
            "scaler": self.scaler.state_dict(),
        }
        return checkpoint.save(self.folder, self.step, groups, facts, self.config.run.keep)

    def resume(self) -> Path | None:
        """Go on from the last checkpoint, where there is one; its path.

        Raises CheckpointError where it is damaged, or of another run.
        """
        paths = checkpoint.checkpoints(self.folder)
        if not paths:
            return None
        found = checkpoint.read(paths[-1])
        self._check(paths[-1], found.numbers)
        with torch.no_grad():
            for name, tensor in self.learner.kept().items():
                tensor.copy_(found.group("learner")[name])
        checkpoint.load_optimizer(
            self.optimizer, found.group("optimizer"), found.numbers["optimizer"]
        )
        checkpoint.set_random_state(found.group("random"))
        if found.numbers["scaler"] and self.scaler.is_enabled():
            self.scaler.load_state_dict(found.numbers["scaler"])
        if self.ema:
            self.ema.load(found.group("ema"))
        self.step, self.skipped = found.step, found.numbers["skipped"]
        self.history = found.numbers["history"]
        return paths[-1]

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """Within the block the learner has the weights to keep, and is in eval mode."""
        training = self.learner.training
        with self.ema.in_place() if self.ema else contextlib.nullcontext():
            self.learner.eval()
            try:
                yield
            finally:
                self.learner.train(training)

    def _check(self, path: Path, numbers: dict[str, Any]) -> None:
        own, other = flat(decisive(self.config)), flat(numbers["config"])
        for key in sorted(own.keys() | other.keys()):
            if own.get(key) != other.get(key):
                raise CheckpointError(
                    f"{path} is of a run with {key} = {other.get(key)}, not {own.get(key)}: set it "
                    "back to go on, or name another folder with run.out to begin anew"
                )
        if numbers["data"] != self.data:
            raise CheckpointError(
                f"{path} is of a run on other images: the list of files in data.folders has "
                "changed since; name another folder with run.out to begin anew"
            )


def decisive(config: Config) -> dict[str, Any]:
    """The settings that must be the same for a run to go on as if it had not stopped.

    As JSON gives them back: lists for tuples.
    """
    content = asdict(config)
    run = content.pop("run")
    content["run"] = {"seed": run["seed"], "ema": run["ema"]}
    del content["validation"], content["data"]["workers"]
    settings: dict[str, Any] = json.loads(json.dumps(content))
    return settings
