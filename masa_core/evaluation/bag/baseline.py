"""Comparison with an earlier run on the same drive: did a change make tracking worse?"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from masa_core.evaluation.errors import FormatError
from masa_core.wording import flat

FORMAT = 1  # of figures.json

# Section and figure, in the order in which people look at them; whether more is better.
HEADLINES = (
    ("bdd_mot", "HOTA", True),
    ("bdd_mot", "DetA", True),
    ("bdd_mot", "AssA", True),
    ("bdd_mot", "MOTA", True),
    ("bdd_mot", "IDF1", True),
    ("bdd_mot", "TETA", True),
    ("bdd_mot", "AssocA", True),
    ("all_objects", "HOTA", True),
    ("all_objects", "DetA", True),
    ("all_objects", "AssA", True),
    ("all_objects", "MOTA", True),
    ("all_objects", "IDF1", True),
    ("all_objects", "IDSw", False),
    ("all_objects", "FM", False),
    ("all_objects", "FP", False),
    ("all_objects", "FN", False),
    ("bdd_mots", "HOTA", True),
    ("bdd_mots", "MOTA", True),
    ("all_masks", "HOTA", True),
    ("all_masks", "IDF1", True),
)
_GUARDED = "HOTA"  # a fall of it, in any section, makes the exit code


@dataclass(frozen=True)
class Change:
    section: str
    figure: str
    before: float
    after: float
    more_is_better: bool

    @property
    def difference(self) -> float:
        return self.after - self.before

    @property
    def verdict(self) -> str:
        """ "better", "worse" or "same"."""
        if not self.difference:
            return "same"
        return "better" if (self.difference > 0) == self.more_is_better else "worse"


@dataclass(frozen=True)
class Comparison:
    """changes: of the headlines that both runs have. differing: what else is not the same in the
    two runs, as name, then and now. fell: the guarded changes that go beyond the tolerance."""

    path: Path
    changes: list[Change]
    differing: list[tuple[str, str, str]]
    tolerance: float

    @property
    def fell(self) -> list[Change]:
        return [
            change
            for change in self.changes
            if change.figure == _GUARDED and -change.difference > self.tolerance
        ]


def headlines(report: Mapping[str, Any]) -> dict[tuple[str, str], float]:
    """The values of HEADLINES that a report of figures.json has."""
    values = {}
    for section, name, _ in HEADLINES:
        for family in report["figures"].get(section, {}).get("figures", {}).values():
            if isinstance(family.get(name), (int, float)):
                values[section, name] = float(family[name])
    return values


def read_baseline(path: Path) -> dict[str, Any]:
    """The figures.json of an earlier run. Raises FormatError, FileNotFoundError."""
    try:
        report = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise FormatError(path, f"not JSON: {error}") from error
    if not isinstance(report, dict) or report.get("format") != FORMAT:
        raise FormatError(path, f"is no figures.json of format {FORMAT}, as masa evaluate-bag has")
    return report


def check_same_drive(baseline: Mapping[str, Any], path: Path, hashes: Mapping[str, Any]) -> None:
    """Raises ValueError where the earlier run was of another bag or truth."""
    for what in ("bag", "truth"):
        if baseline["sha256"][what] != hashes[what]:
            raise ValueError(
                f"{path} was made from another {what} (SHA-256 {baseline['sha256'][what][:12]}..., "
                f"now {hashes[what][:12]}...): its figures cannot be compared with these"
            )


def compare(
    baseline: Mapping[str, Any], path: Path, report: Mapping[str, Any], tolerance: float
) -> Comparison:
    """tolerance: by how much HOTA may fall, in points."""
    before, after = headlines(baseline), headlines(report)
    changes = [
        Change(section, name, before[section, name], after[section, name], more)
        for section, name, more in HEADLINES
        if (section, name) in before and (section, name) in after
    ]
    then, now = (_configuration(r) for r in (baseline, report))
    same_mode = baseline["mode"] == report["mode"]  # else one of them has a node's parameters
    names = [name for name in {**then, **now} if same_mode or (name in then and name in now)]
    differing = [
        (name, then.get(name, "-"), now.get(name, "-"))
        for name in names
        if then.get(name) != now.get(name)
    ]
    return Comparison(path, changes, differing, tolerance)


def _configuration(report: Mapping[str, Any]) -> dict[str, str]:
    values = flat({"mode": report["mode"], **report["configuration"]})
    values["model SHA-256"] = report["sha256"]["model"]
    return {name: str(value) for name, value in values.items()}
