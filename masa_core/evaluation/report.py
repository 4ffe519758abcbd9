"""Reports of `evaluate` for people and for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any

import numpy as np

from masa_core.io.atomic import write_text


def figure_rows(report: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One entry for each headline figure: figure, value, protocol, family and its settings."""
    return [
        {
            "figure": name,
            "value": report[name],
            "protocol": report["protocol"],
            "family": family,
            "settings": report["settings"].get(family, {}),
        }
        for family, names in report["families"].items()
        for name in names
    ]


def as_text(report: Mapping[str, Any]) -> str:
    """The headline figures in families, each under the settings that it was computed with."""
    lines = [f"protocol {report['protocol']}"]
    for family, names in report["families"].items():
        settings = report["settings"].get(family, {})
        shown = "; ".join(f"{name}: {value}" for name, value in settings.items())
        lines += ["", family, *wrap(shown, 100, initial_indent="  ", subsequent_indent="  ")]
        width = max(map(len, names), default=0)
        lines += [f"    {name:<{width}}  {_number(report[name]):>10}" for name in names]
    return "\n".join(lines) + "\n"


def _number(value: float | int | None) -> str:
    if isinstance(value, int):
        return str(value)
    return "-" if value is None or math.isnan(value) else f"{value:.5g}"


def write_report(report: Mapping[str, Any], path: Path) -> None:
    """Write a report as JSON: unrounded, NaN as null, infinities as "inf" and "-inf"."""
    write_text(path, json.dumps(plain(report), indent=1) + "\n")


def plain(value: Any) -> Any:
    """A report, or a part of one, with nothing in it that JSON does not know."""
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, (np.integer, np.bool_)):
        return value.item()
    if isinstance(value, (float, np.floating)):
        number = float(value)
        if math.isfinite(number):
            return number
        return None if math.isnan(number) else str(number)
    return value
