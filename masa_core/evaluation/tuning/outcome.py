"""What tuning found: a table for people, a parameter file for the node, and figures."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from masa_core.evaluation.report import write_report
from masa_core.evaluation.tuning.space import Space
from masa_core.io.atomic import write_text


@dataclass(frozen=True)
class BagOutcome:
    """The objective on one bag: of the default values, of those tuned on all bags, and of those
    tuned on the others; None where there are no others."""

    name: str
    default: float
    tuned: float
    held_out: float | None


@dataclass(frozen=True)
class Outcome:
    """values: the best on all bags. trials: of the search over all bags."""

    space: Space
    objective: str
    values: dict[str, Any]
    trials: int
    bags: list[BagOutcome]
    sha256: dict[str, Any]
    seed: int

    def mean(self, column: str) -> float:
        return float(np.mean([getattr(bag, column) for bag in self.bags]))

    @property
    def verdict(self) -> str:
        """Whether the gain is one on bags that were not tuned on."""
        gain = self.mean("tuned") - self.mean("default")
        if any(bag.held_out is None for bag in self.bags):
            return (
                f"{self.objective} changed by {gain:+.2f} where it was tuned. Whether that holds "
                "on other drives cannot be told without leaving a bag out: tune on several."
            )
        held_out = self.mean("held_out") - self.mean("default")
        if gain <= 0:
            judged = "nothing better than the default was found"
        elif held_out <= 0:
            judged = "that is over-tuned, keep the default"
        else:
            judged = "expect the latter"
        return (
            f"{self.objective} changed by {gain:+.2f} on the bags that it was tuned on, and by "
            f"{held_out:+.2f} on bags that were left out: {judged}."
        )

    def as_text(self) -> str:
        """A row for each bag, their mean, the values and the verdict."""
        width = max(len("mean"), *(len(bag.name) for bag in self.bags)) + 2
        lines = [f"{self.objective:<{width}}{'default':>10}{'tuned':>10}{'left out':>10}"]
        rows = [(bag.name, bag.default, bag.tuned, bag.held_out) for bag in self.bags]
        complete = all(bag.held_out is not None for bag in self.bags)
        means = self.mean("default"), self.mean("tuned")
        rows.append(("mean", *means, self.mean("held_out") if complete else None))
        for name, *scores in rows:
            cells = ["-" if score is None else f"{score:.2f}" for score in scores]
            lines.append(f"{name:<{width}}" + "".join(f"{cell:>10}" for cell in cells))
        defaults = self.space.defaults
        lines += [
            f"  {name}: {_short(value)} (default {_short(defaults[name])})"
            for name, value in self.values.items()
        ]
        return "\n".join([*lines, self.verdict]) + "\n"


def write_outcome(outcome: Outcome, folder: Path) -> None:
    """best.yaml, for the tracker node, and tune.json. Raises OSError."""
    tracker = {"preset": outcome.space.tracker, **outcome.space.fixed, **outcome.values}
    words = f"Written by masa tune after {outcome.trials} trials, seed {outcome.seed}. "
    head = "".join(f"# {line}\n" for line in textwrap.wrap(words + outcome.verdict, 97))
    content = {"/**": {"ros__parameters": {"tracker": tracker}}}
    write_text(folder / "best.yaml", head + yaml.safe_dump(content, sort_keys=False))
    report = {
        "format": 1,
        "objective": f"{outcome.objective} of all objects as one class, by the rules of bdd_mot",
        "space": outcome.space.as_json(),
        "trials": outcome.trials,
        "seed": outcome.seed,
        "best": outcome.values,
        "default": outcome.space.defaults,
        "bags": {
            bag.name: {"default": bag.default, "tuned": bag.tuned, "left_out": bag.held_out}
            for bag in outcome.bags
        },
        "verdict": outcome.verdict,
        "sha256": outcome.sha256,
    }
    write_report(report, folder / "tune.json")


def _short(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
