"""One way into all evaluations: `evaluate`."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from masa_core.wording import nearest

# Protocol -> function that scores it. The modules load TrackEval, SciPy and pycocotools.
PROTOCOLS = {
    "mot": "mot:evaluate_mot",
    "bdd_mot": "bdd:evaluate_bdd_mot",
    "bdd_mots": "bdd:evaluate_bdd_mots",
    "tao": "tao:evaluate_tao",
    "ovmot": "tao:evaluate_ovmot",
    "ytvis": "vis:evaluate_ytvis",
    "uvo": "vis:evaluate_uvo",
    "kitti": "kitti:evaluate_kitti",
    "kitti_mots": "kitti:evaluate_kitti_mots",
}


def evaluate(
    truth: str | Path, results: str | Path, protocol: str, **settings: Any
) -> dict[str, Any]:
    """Score results against truth as a benchmark's official evaluator does.

    truth, results: the files or folders in which the data set is published and in which its
    evaluator takes results. protocol: one of `PROTOCOLS`. settings: see `protocol_settings`.

    Returns the benchmark's headline figures by their names, then ``protocol``; ``families``, the
    names of the figures in each family, such as HOTA; ``settings`` of each family, the evaluator
    whose rules were applied and its thresholds; and what the protocol gives besides, such as
    figures of each class.

    Raises FormatError (a ValueError) for a malformed file, FileNotFoundError, ValueError for an
    unknown protocol or setting, and ImportError without the extra ``eval``.
    """
    scorer = _scorer(protocol)
    defaults = protocol_settings(protocol)
    for name, value in settings.items():
        if name not in defaults:
            near = nearest(name, list(defaults))
            raise ValueError(f"protocol {protocol} has no setting {name!r}{near}")
        _check_setting(name, value, defaults[name])
    report = scorer(Path(truth), Path(results), **settings)
    figures: dict[str, dict[str, float | int]] = report.pop("figures")
    flat = {name: value for family in figures.values() for name, value in family.items()}
    families = {family: list(values) for family, values in figures.items()}
    return {**flat, "protocol": protocol, "families": families, **report}


def protocol_settings(protocol: str) -> dict[str, Any]:
    """Settings of a protocol by name, with their defaults. Raises as `evaluate`."""
    parameters = inspect.signature(_scorer(protocol)).parameters.values()
    return {item.name: item.default for item in parameters if item.kind is item.KEYWORD_ONLY}


def _check_setting(name: str, value: Any, default: Any) -> None:
    """Of the kind of its default: thresholds are from 0 to 1, numbers not negative, lists not
    empty. TrackEval takes others too, and scores something else."""
    if default is None or isinstance(default, tuple):
        names = list(value) if isinstance(value, list | tuple) else []
        good = len(set(names)) == len(names) > 0 and all(isinstance(item, str) for item in names)
        wanted = "a list of names, none of them twice"
        good = good or (value is None and default is None)
    elif isinstance(default, float):
        good = isinstance(value, int | float) and 0 <= value <= 1
        wanted = "a number from 0 to 1"
    elif isinstance(default, bool | str):
        good = isinstance(value, type(default))
        wanted = "true or false" if isinstance(default, bool) else "a text"
    else:
        good = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        wanted = "a whole number from 0 on"
    if not good:
        raise ValueError(f"{name} is {value!r}, must be {wanted}")


def _scorer(protocol: str) -> Callable[..., dict[str, Any]]:
    if protocol not in PROTOCOLS:
        raise ValueError(f"unknown protocol {protocol!r}{nearest(protocol, list(PROTOCOLS))}")
    module, function = PROTOCOLS[protocol].split(":")
    try:
        scorer: Callable[..., dict[str, Any]] = getattr(
            import_module(f"masa_core.evaluation.{module}"), function
        )
    except ImportError as error:
        raise ImportError(f"{error}; evaluation needs: pip install 'masa_ros[eval]'") from error
    return scorer
