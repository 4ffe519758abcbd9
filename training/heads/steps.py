"""How both heads learn: AdamW with a warm-up and a cosine, seeded."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from tqdm import trange

WEIGHT_DECAY, CLIP_NORM, WARM_UP = 1e-2, 5.0, 0.1  # the last as a share of the steps

Head = TypeVar("Head", bound=nn.Module)


def train_head(
    make: Callable[[], Head],
    loss_of: Callable[[Head, np.random.RandomState], Tensor],
    steps: int,
    seed: int,
    learning_rate: float,
    name: str,
) -> Head:
    """The head after `steps`, in eval mode. loss_of: of one step, on what it draws itself."""
    torch.manual_seed(seed)
    rng = np.random.RandomState(seed)
    head = make().to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(head.parameters(), learning_rate, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, learning_rate, steps, pct_start=WARM_UP
    )
    bar = trange(steps, desc=name, unit="step")
    for _ in bar:
        loss = loss_of(head, rng)
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(head.parameters(), CLIP_NORM)
        optimizer.step()
        schedule.step()
        bar.set_postfix(loss=f"{loss.item():.3f}")
    return head.eval()
