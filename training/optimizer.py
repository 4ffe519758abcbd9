"""The optimizer, and its learning rate at every step."""

from __future__ import annotations

import math
from collections.abc import Iterable

from torch import nn
from torch.optim import SGD, AdamW
from torch.optim import Optimizer as TorchOptimizer

from training.config import Config, Optimizer

PUBLISHED_PAIRS = 64  # the batch that `optimizer.lr` is for


def build_optimizer(parameters: Iterable[nn.Parameter], settings: Optimizer) -> TorchOptimizer:
    """SGD or AdamW. The loop sets the learning rate at every step, see `learning_rate`."""
    if settings.kind == "sgd":
        return SGD(
            parameters,
            settings.lr,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
        )
    return AdamW(parameters, settings.lr, weight_decay=settings.weight_decay)


def learning_rate(step: int, config: Config) -> float:
    """The rate of a step, counted from 0: base rate, warm-up and schedule.

    The base rate is scaled linearly from 64 pairs to the batch there is.
    """
    schedule = config.schedule
    base = config.optimizer.lr * config.data.pairs / PUBLISHED_PAIRS
    epoch = step // config.steps_per_epoch
    if epoch >= schedule.epochs:  # the track head alone
        return base * schedule.track_head_rate
    if schedule.kind == "step":
        rate = base * 0.1 ** sum(epoch >= milestone for milestone in schedule.milestones)
    else:
        share = step / (schedule.epochs * config.steps_per_epoch)
        rate = base * (1 + math.cos(math.pi * share)) / 2
    if step < schedule.warmup_steps:
        share = step / schedule.warmup_steps
        rate *= schedule.warmup_from + (1 - schedule.warmup_from) * share
    return rate
