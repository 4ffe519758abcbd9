"""The exponential moving average of the weights that are trained."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

_HORIZON = 10  # steps: early on, the average reaches back a tenth of the steps there were


class Ema:
    """Averages of some tensors of a module: a ← d a + (1 - d) w, d the decay.

    Early on d is smaller, (1 + step) / (10 + step), lest the random start count for long.
    Whole numbers (counters of batch norm) are copied.
    """

    def __init__(self, tensors: Mapping[str, Tensor], decay: float) -> None:
        self.decay = decay
        self._live = dict(tensors)
        self.averages = {name: tensor.detach().clone() for name, tensor in tensors.items()}

    @torch.no_grad()
    def update(self, step: int) -> None:
        """After the optimizer's step number ``step``, counted from 0."""
        decay = min(self.decay, (1 + step) / (_HORIZON + step))
        for name, average in self.averages.items():
            live = self._live[name]
            if average.is_floating_point():
                average.lerp_(live, 1 - decay)
            else:
                average.copy_(live)

    @torch.no_grad()
    def load(self, averages: Mapping[str, Tensor]) -> None:
        for name, average in self.averages.items():
            average.copy_(averages[name])

    @contextmanager
    def in_place(self) -> Iterator[None]:
        """Within the block the module has the averages."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, average in self.averages.items():
            live = self._live[name]
            kept = live.clone()
            live.copy_(average)
            average.copy_(kept)
