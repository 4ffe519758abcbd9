"""Train a MASA adapter on images with segments.

One process, on a GPU where there is one; data.pairs and run.accumulate fit the memory:

    python -m training.train training/configs/masa_r50.yaml data.folders='{/data/sa1b: 1}'
    python -m training.train training/configs/onnx_adapter.yaml data.pairs=4 run.precision=bf16

Eight GPUs, with the published batch:

    torchrun --nproc-per-node 8 -m training.train training/configs/masa_gdino.yaml

All is in runs/NAME (run.out): config.yaml, checkpoints, TensorBoard's events, at the end the model.
Ctrl-C saves and stops; the same command again goes on from the last checkpoint, to the bit, also
after a power cut. Any setting of the file (training/config.py describes them) may follow as
key=value.
"""

from __future__ import annotations

import argparse
import math
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from masa_core.commands.interrupt import StopOnSignal
from masa_core.models.deform_conv import DeformConv
from masa_core.runtime.protocol import ModelError
from training.build import build_learner
from training.checkpoint import CheckpointError
from training.config import Config, ConfigError, read_config
from training.console import show_any_name
from training.dataset import Batch, batches, open_data
from training.distributed import World, joined, processes, total, wait_for_all
from training.finish import finish
from training.index import Index
from training.lean_deform_conv import lean_deform_conv
from training.model import Learner
from training.optimizer import learning_rate
from training.report import Report
from training.state import State

_TYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class TrainingError(RuntimeError):
    """Training that makes no sense any more; one sentence with what to try."""


def main(arguments: list[str] | None = None) -> int:
    """0; 1 where it cannot go on; 128 + the signal that stopped it."""
    parser = argparse.ArgumentParser(
        prog="python -m training.train",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("config", type=Path, help="a YAML file, such as those in training/configs")
    parser.add_argument("settings", nargs="*", metavar="key=value", help="put over the file's")
    args = parser.parse_args(arguments)
    show_any_name()
    try:
        config = read_config(args.config, args.settings)
        with joined(config.run.device) as world:
            return run(config, world)
    except (CheckpointError, ModelError, TrainingError, ValueError, OSError) as error:
        print(f"training: {error}", file=sys.stderr)
        return 1


def run(config: Config, world: World, learner: Learner | None = None) -> int:
    """Train to the end or to a signal. learner: in place of the one that the settings name."""
    parts = world.size * config.run.accumulate
    if config.data.pairs % parts:
        raise ConfigError(
            f"data.pairs is {config.data.pairs}, which {world.size} processes with run.accumulate "
            f"{config.run.accumulate} cannot share: make it a multiple of {parts}"
        )
    index = open_data(config.data)
    start = "the given model"
    if learner is None:
        learner, start = build_learner(config, world.device)
    _synchronise_batch_norm(learner, config, world)
    if world.device.type == "cuda":
        DeformConv.operator = staticmethod(lean_deform_conv)
    learner.train()
    state = State.new(config, learner, index.digest, world.device)
    resumed = state.resume()
    report = Report(config, world, state)
    report.begin(f"from {resumed}" if resumed else start, index)
    with StopOnSignal() as stop, report:
        try:
            stopped = _train(state, index, world, stop, report)
        except KeyboardInterrupt:  # the second Ctrl-C
            report.say("stopped at once; the last checkpoint is what there is to go on from")
            return 130
    if stopped:
        if world.is_first:
            report.say(f"stopped after step {state.step}: {state.save()}")
            report.say("the same command goes on from there")
        wait_for_all()
        return 128 + (stop.number or 2)
    if world.is_first:
        report.say(finish(state))
    wait_for_all()
    return 0


def _train(state: State, index: Index, world: World, stop: StopOnSignal, report: Report) -> bool:
    """Until the last step, or until a process was told to stop: whether that was so."""
    config, learner = state.config, state.learner
    source = batches(config, index, world, state.step)
    statistics = [b for n, b in learner.named_buffers() if n.endswith(("_mean", "_var"))]
    last_full = config.schedule.epochs * config.steps_per_epoch
    wrapped: nn.Module | None = None
    bad_in_a_row = 0
    with tqdm(
        total=config.steps,
        initial=state.step,
        unit="step",
        disable=None if world.is_first else True,
        dynamic_ncols=True,
    ) as bar:
        while state.step < config.steps:
            if wrapped is None or state.step == last_full:
                wrapped = None  # the old one lets go of the gradients first
                wrapped = _wrapped(learner, world, head_alone=state.step >= last_full)
            rate = learning_rate(state.step, config)
            for group in state.optimizer.param_groups:
                group["lr"] = rate
            before = [buffer.clone() for buffer in statistics]
            began = time.perf_counter()
            losses, batch = _gradients(state, wrapped, source, world)
            losses, stopped = _agreed(losses, stop.number is not None)
            norm = _update(state, losses)
            if norm is None:
                for buffer, value in zip(statistics, before, strict=True):
                    buffer.copy_(value)
                bad_in_a_row += 1
                state.skipped += 1
                report.bad_step(state.step, losses, bad_in_a_row)
            else:
                bad_in_a_row = 0
                if state.ema:
                    state.ema.update(state.step)
            state.step += 1
            seconds = time.perf_counter() - began
            report.step(losses, norm, rate, seconds, batch, bar)
            if bad_in_a_row >= config.run.stop_after:
                raise TrainingError(
                    f"the loss was no number in the last {bad_in_a_row} steps, up to step "
                    f"{state.step}: try a lower optimizer.lr, a longer schedule.warmup_steps or "
                    "run.precision fp32, from the last checkpoint or anew"
                )
            if state.step % config.run.checkpoint_every == 0 or state.step == config.steps:
                if world.is_first:
                    state.save()
                wait_for_all()
            if stopped:
                return state.step < config.steps
    return False


def _wrapped(learner: Learner, world: World, head_alone: bool) -> nn.Module:
    """The learner as the phase wants it, averaging gradients over processes where there are."""
    learner.learn_track_head_alone() if head_alone else learner.learn_all()
    if world.size == 1:
        return learner
    devices = [world.device] if world.device.type == "cuda" else None
    return DistributedDataParallel(learner, device_ids=devices, broadcast_buffers=False)


def _gradients(
    state: State, wrapped: nn.Module, source: Iterator[Batch], world: World
) -> tuple[dict[str, Tensor], Batch]:
    """Accumulate the gradients of one step; its losses and (the last part of) its batch."""
    run = state.config.run
    state.optimizer.zero_grad(set_to_none=True)
    sums: dict[str, Tensor] = {}
    for part in range(run.accumulate):
        batch = next(source).to(world.device)
        if isinstance(wrapped, DistributedDataParallel):
            wrapped.require_backward_grad_sync = part == run.accumulate - 1
        with torch.autocast(
            world.device.type, _TYPES[run.precision], enabled=run.precision != "fp32"
        ):
            losses = wrapped(batch)
        loss = torch.stack([value.float() for value in losses.values()]).sum()
        state.scaler.scale(loss / run.accumulate).backward()
        for name, value in losses.items():
            sums[name] = sums.get(name, 0) + value.detach().float() / run.accumulate
    return sums, batch


def _agreed(losses: dict[str, Tensor], stop: bool) -> tuple[dict[str, float], bool]:
    """Losses averaged over processes, and whether one of them is to stop: the same on all."""
    device = next(iter(losses.values())).device
    row = torch.stack([*losses.values(), torch.tensor(float(stop), device=device)])
    values = (total(row) / processes()).tolist()
    named = dict(zip(losses, values, strict=False))
    named.pop("loss_unused", None)
    return named, values[-1] > 0


def _update(state: State, losses: dict[str, float]) -> float | None:
    """One step of the optimizer. The norm of the gradient, None where it was left out."""
    if not math.isfinite(sum(losses.values())):
        return None
    state.scaler.unscale_(state.optimizer)
    parameters = [p for p in state.learner.trained().values() if p.grad is not None]
    limit = state.config.optimizer.clip_norm or math.inf
    norm = float(nn.utils.clip_grad_norm_(parameters, limit))
    if not math.isfinite(norm) and not state.scaler.is_enabled():
        return None
    state.scaler.step(state.optimizer)  # with fp16, infinite gradients only lower its scale
    state.scaler.update()
    return norm


def _synchronise_batch_norm(learner: Learner, config: Config, world: World) -> None:
    """Statistics of all processes together, for adapter and heads: the backbone's are fixed.

    PyTorch has it on GPUs alone."""
    settings = config.model or config.onnx
    assert settings is not None
    if settings.batch_norm == "sync" and world.size > 1 and world.device.type == "cuda":
        model = learner.model
        model.masa_adapter = nn.SyncBatchNorm.convert_sync_batchnorm(model.masa_adapter)
        model.roi_head = nn.SyncBatchNorm.convert_sync_batchnorm(model.roi_head)


if __name__ == "__main__":
    sys.exit(main())
