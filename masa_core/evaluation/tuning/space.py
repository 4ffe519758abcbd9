"""Which parameters of a tracker are tuned, and in which range each.

A space file is YAML::

    tracker: masa_plus
    parameters:
      init_score_thr:                      # in the tracker's own range
      memory_s: {low: 1, high: 100, log: true}
      use_motion: {choices: [true, false]}
    fixed:
      confirm_hits: 3
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

from masa_core.evaluation.errors import FormatError
from masa_core.tracking import TrackerConfig
from masa_core.tracking.presets import DEFAULT_PRESET
from masa_core.wording import nearest

_FAR = 20  # times the default: a range that ends beyond is not searched evenly


@dataclass(frozen=True)
class Range:
    """The values of one parameter: numbers from low to high, or the choices."""

    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    log: bool = False
    choices: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Space:
    """tracker: name of the preset. fixed: what is not tuned and not the default."""

    tracker: str
    ranges: dict[str, Range]
    fixed: dict[str, Any] = field(default_factory=dict)

    def config(self, values: Mapping[str, Any]) -> TrackerConfig:
        """The tracker's configuration with these values of the parameters."""
        return TrackerConfig.preset(self.tracker, **{**self.fixed, **values})

    @property
    def defaults(self) -> dict[str, Any]:
        """Of the tuned parameters, moved into their ranges."""
        config = self.config({})
        return {name: _inside(getattr(config, name), r) for name, r in self.ranges.items()}

    def as_json(self) -> dict[str, Any]:
        ranges = {
            name: list(r.choices) if r.choices else {"low": r.low, "high": r.high, "log": r.log}
            for name, r in self.ranges.items()
        }
        return {"tracker": self.tracker, "parameters": ranges, "fixed": self.fixed}


def whole_space(tracker: str, fixed: Mapping[str, Any]) -> Space:
    """All parameters of a tracker that are not fixed. Raises ValueError for an unknown one."""
    config = TrackerConfig.preset(tracker, **fixed)
    free = [spec for spec in fields(config) if spec.name not in fixed]
    return Space(tracker, {spec.name: _own_range(spec) for spec in free}, dict(fixed))


def read_space(path: Path) -> Space:
    """Raises FormatError with the parameter that is wrong, FileNotFoundError."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FormatError(path, f"not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, Mapping):
        raise FormatError(path, "must hold 'tracker', 'parameters' and 'fixed'")
    for key in content:
        if key not in ("tracker", "parameters", "fixed"):
            known_keys = nearest(str(key), ("tracker", "parameters", "fixed"))
            raise FormatError(path, f"unknown key {key!r}{known_keys}")
    tracker = str(content.get("tracker", DEFAULT_PRESET))
    fixed = _mapping(path, content, "fixed")
    wanted = _mapping(path, content, "parameters")
    if not wanted:
        raise FormatError(path, "names no parameters to tune")
    try:
        known = {spec.name: spec for spec in fields(TrackerConfig.preset(tracker, **fixed))}
        ranges = {}
        for name, entry in wanted.items():
            if name not in known:
                raise ValueError(f"{tracker} has no parameter {name!r}{nearest(name, list(known))}")
            if name in fixed:
                raise ValueError(f"{name} is both tuned and fixed")
            ranges[name] = _range(name, entry, known[name])
        space = Space(tracker, ranges, fixed)
        for limit in ("low", "high"):
            space.config({n: getattr(r, limit) for n, r in ranges.items() if not r.choices})
        for name, chosen in ranges.items():
            for choice in chosen.choices:
                space.config({name: choice})
    except ValueError as error:
        raise FormatError(path, str(error)) from error
    return space


def _mapping(path: Path, content: Mapping[str, Any], key: str) -> dict[str, Any]:
    value = content.get(key) or {}
    if not isinstance(value, Mapping):
        raise FormatError(path, f"{key} must hold names of parameters", place=key)
    return {str(name): entry for name, entry in value.items()}


def _range(name: str, entry: Any, spec: Any) -> Range:
    own = _own_range(spec)
    if entry is None:
        return own
    if not isinstance(entry, Mapping) or not entry:
        raise ValueError(f"{name} needs low, high and log, or choices; or nothing behind it")
    for key in entry:
        if key not in ("low", "high", "log", "choices"):
            raise ValueError(f"{name} has an unknown key {key!r}; known: low, high, log, choices")
    if "choices" in entry:
        choices = entry["choices"]
        if not isinstance(choices, list) or not choices or len(entry) > 1:
            raise ValueError(f"{name}: choices must be a list of values, without low and high")
        return Range(choices=tuple(choices))
    if own.choices:
        raise ValueError(f"{name} has no range: name choices")
    low, high = entry.get("low", own.low), entry.get("high", own.high)
    for value in (low, high):
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            raise ValueError(f"{name}: {value!r} is not a number")
    log = entry.get("log", own.log and low > 0)
    if not low < high or (log and low <= 0):
        raise ValueError(
            f"{name}: low must be below high{' and above 0 with log' * bool(log)}, "
            f"they are {low} and {high}"
        )
    return Range(low, high, own.whole, bool(log))


def _own_range(spec: Any) -> Range:
    """What the parameter says of itself. Where that ends far beyond the default, a tenth of the
    default to ten times it, on a scale of magnitudes."""
    choices = spec.metadata.get("choices")
    if isinstance(spec.default, bool):
        choices = (False, True)
    if choices:
        return Range(choices=tuple(choices))
    low, high, whole = spec.metadata["low"], spec.metadata["high"], isinstance(spec.default, int)
    if spec.default > 0 and high > _FAR * spec.default:
        low, high = max(low, spec.default / 10), min(high, spec.default * 10)
        return Range(math.ceil(low) if whole else low, high, whole, log=True)
    return Range(low, high, whole)


def _inside(value: Any, limits: Range) -> Any:
    if limits.choices:
        return value if value in limits.choices else limits.choices[0]
    return type(value)(min(max(value, limits.low), limits.high))
