"""One process or many: who am I, and what do all agree on.

Started by torchrun, every process joins the others (NCCL on GPUs, gloo on CPUs); started without
it, there is one, and everything here costs nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, distributed

from training.config import ConfigError


@dataclass(frozen=True)
class World:
    """This process among all: rank of size, and the device it computes on."""

    rank: int
    size: int
    device: torch.device

    @property
    def is_first(self) -> bool:
        """Of all processes this one speaks and writes."""
        return self.rank == 0


@contextmanager
def joined(device: str) -> Iterator[World]:
    """Join the processes that torchrun started, for the time of the block.

    device: "cpu", "cuda", or "auto" for CUDA where there is some.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("run.device is cuda, but PyTorch finds no GPU: use cpu or auto")
    cuda = device != "cpu" and torch.cuda.is_available()
    number = int(os.environ.get("LOCAL_RANK", "0"))
    own = torch.device("cuda", number) if cuda else torch.device("cpu")
    if cuda:
        torch.cuda.set_device(own)
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1:
        yield World(0, 1, own)
        return
    distributed.init_process_group("nccl" if cuda else "gloo")
    try:
        yield World(distributed.get_rank(), size, own)
    finally:
        distributed.destroy_process_group()


def total(value: Tensor) -> Tensor:
    """The sum over all processes; no gradient flows through it."""
    value = value.detach().clone()
    if distributed.is_initialized():
        distributed.all_reduce(value)
    return value


def processes() -> int:
    return distributed.get_world_size() if distributed.is_initialized() else 1


def wait_for_all() -> None:
    if distributed.is_initialized():
        distributed.barrier()
