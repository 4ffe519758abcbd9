"""What calls cost: seconds by the clock, seconds of CPU time, and memory."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

LINUX = Path("/proc/self/status")


@dataclass
class Cost:
    """Of one call: seconds by the clock, seconds of CPU time, and bytes at its peak."""

    clock: float
    cpu: float
    memory: float


def in_turns(
    calls: Mapping[str, Callable[[], object]], device: str, rounds: int
) -> dict[str, list[Cost]]:
    """What each call costs, ``rounds`` times, in turns; one more to warm up, but for one round."""
    costs: dict[str, list[Cost]] = {name: [] for name in calls}
    for turn in range(rounds + (rounds > 1)):
        for name, call in calls.items():
            cost = measure(call, device)
            if turn or rounds == 1:
                costs[name].append(cost)
    return costs


def measure(call: Callable[[], object], device: str) -> Cost:
    if device != "cpu":
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    held = reset_peak() if device == "cpu" else torch.cuda.memory_allocated()
    clock, cpu = time.perf_counter(), time.process_time()
    call()
    if device != "cpu":
        torch.cuda.synchronize()
    clock, cpu = time.perf_counter() - clock, time.process_time() - cpu
    peak = status("VmHWM") if device == "cpu" else torch.cuda.max_memory_allocated()
    return Cost(clock, cpu, peak - held)


def reset_peak() -> float:
    """Bytes held now; the peak that Linux keeps of the process starts again from there."""
    if LINUX.exists():
        Path("/proc/self/clear_refs").write_text("5")
    return status("VmRSS")


def status(name: str) -> float:
    """Bytes by a line of the process's status; not a number where there is none."""
    if not LINUX.exists():
        return float("nan")
    line = next(line for line in LINUX.read_text().splitlines() if line.startswith(name))
    return float(line.split()[1]) * 1024


def show(costs: dict[str, list[Cost]]) -> None:
    for name, column in costs.items():
        clock = statistics.median(cost.clock for cost in column)
        cpu = statistics.median(cost.cpu for cost in column)
        memory = max(cost.memory for cost in column)
        print(
            f"{name:34s} {clock:8.3f} s by the clock, {cpu:8.3f} s of CPU, {memory / 1e9:5.2f} GB",
            flush=True,
        )
