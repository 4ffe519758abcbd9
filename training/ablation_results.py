"""Figures of an ablation: kept after each run, and shown as tables at any time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from masa_core.io.atomic import write_text
from masa_core.wording import flat
from training.ablation_plan import Plan
from training.config import Config
from training.retrieval import GAPS_S
from training.state import decisive

Job = tuple[str, int]  # row and seed


class Results:
    """A file with a list of {"row", "seed", "settings", "rank_1"}, written anew by each `add`.

    rank_1: by clip, what `training.retrieval.retrieval` gives.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._runs: dict[Job, dict[str, Any]] = {}
        if path.exists():
            try:
                runs = json.loads(path.read_text(encoding="utf-8"))
                self._runs = {(run["row"], run["seed"]): run for run in runs}
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError(f"{path} has no results of an ablation: {error}") from error

    def check(self, configs: Mapping[Job, Config]) -> None:
        """Raises ValueError where a run of these has results already, with other settings."""
        for job, config in configs.items():
            wanted = _lines(decisive(config))
            found = _lines(self._runs[job]["settings"]) if job in self._runs else wanted
            if found != wanted:
                raise ValueError(
                    f"{self.path} has row {job[0]} with {', '.join(sorted(found - wanted))}, not "
                    f"{', '.join(sorted(wanted - found))}: set it back to go on, or name another "
                    "--out to begin anew"
                )

    def has(self, job: Job, clip: str) -> bool:
        return clip in self._runs.get(job, {"rank_1": {}})["rank_1"]

    def add(self, job: Job, config: Config, clip: str, rank_1: dict[str, list[float]]) -> None:
        new = {"row": job[0], "seed": job[1], "settings": decisive(config), "rank_1": {}}
        self._runs.setdefault(job, new)["rank_1"][clip] = rank_1
        write_text(self.path, json.dumps(list(self._runs.values()), indent=1))

    def tables(self, plan: Plan, clips: Sequence[str]) -> str:
        """Markdown: rank-1 in percent, mean and (from two seeds on) standard deviation over seeds.

        Of true boxes in the light of the clip. Rows without a result are left out.
        """
        heads = [
            f"{'' if i else f'{clip}: '}{gap:g} s" for clip in clips for i, gap in enumerate(GAPS_S)
        ]
        parts = []
        for table in plan.tables:
            lines = [f"| | seeds | {' | '.join(heads)} |", f"|---|---|{'---|' * len(heads)}"]
            for name in table.rows:
                row = plan.rows[name]
                runs = [run["rank_1"] for run in self._runs.values() if run["row"] == name]
                if not runs:
                    continue
                cells = [
                    _cell([run[clip]["clean"][i] for run in runs if clip in run])
                    for clip in clips
                    for i in range(len(GAPS_S))
                ]
                seeds = "-" if row.reference else str(len(runs))
                lines.append(f"| {row.says} | {seeds} | {' | '.join(cells)} |")
            parts.append(f"## {table.title}\n\n" + "\n".join(lines) + "\n")
        return "\n".join(parts)

    def write_tables(self, plan: Plan, clips: Sequence[str]) -> str:
        """tables.md beside the file; its text."""
        text = self.tables(plan, clips)
        write_text(self.path.with_name("tables.md"), text)
        return text


def _lines(settings: Mapping[str, Any]) -> set[str]:
    return {f"{name} = {value}" for name, value in flat(settings).items()}


def _cell(values: Sequence[float]) -> str:
    percent = 100 * np.array(values)
    if not np.isfinite(percent).all() or not len(percent):  # not judged, or a clip too short
        return "-"
    spread = f" ± {percent.std(ddof=1):.1f}" if len(percent) > 1 else ""
    return f"{percent.mean():.1f}{spread}"
