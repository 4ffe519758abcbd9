"""`masa evaluate`: score results against truth as a benchmark's own evaluator does."""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from pathlib import Path
from typing import Any

from masa_core.commands import CommandError
from masa_core.evaluation.protocols import PROTOCOLS

_DESCRIPTION = """\
Score tracking results. The figures equal those of the benchmark's official evaluator, and are
printed with the evaluator and the settings that they belong to.
"""
_EPILOG = """\
protocols: mot (MOTChallenge), bdd_mot and bdd_mots (BDD100K boxes and masks), tao, ovmot
(open-vocabulary MOT on TAO), ytvis (YouTube-VIS), uvo, kitti, kitti_mots. Which files each takes
and all settings: docs/evaluation.md.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "evaluate",
        help="score results against truth",
        description=_DESCRIPTION,
        epilog=_EPILOG,
    )
    parser.add_argument("protocol", choices=PROTOCOLS, metavar="PROTOCOL")
    parser.add_argument("truth", type=Path, metavar="TRUTH", help="file or folder, as published")
    parser.add_argument("results", type=Path, metavar="RESULTS", help="file or folder")
    parser.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="settings of the protocol, such as benchmark=MOT20; a list is written as A,B",
    )
    parser.add_argument("--out", type=Path, metavar="FILE.json", help="the whole report, unrounded")
    parser.set_defaults(run=run, passes_on=False)


def run(args: argparse.Namespace) -> int:
    """0. Raises CommandError for files that cannot be scored and for settings that are not."""
    from masa_core.evaluation import as_text, evaluate, write_report

    settings = _settings(args.protocol, args.set)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        try:
            report = evaluate(args.truth, args.results, args.protocol, **settings)
        except (ValueError, OSError, ImportError) as error:
            raise CommandError(str(error)) from error
    notes = [str(item.message) for item in caught if item.category is UserWarning]
    for note in notes:
        print(f"masa evaluate: warning: {note}", file=sys.stderr)
    print(as_text(report), end="")
    if args.out is not None:
        inputs = {"truth": str(args.truth), "results": str(args.results), "warnings": notes}
        try:
            write_report({**report, **inputs}, args.out)
        except OSError as error:
            raise CommandError(f"--out {args.out}: {error}") from error
    return 0


def _settings(protocol: str, texts: list[str]) -> dict[str, Any]:
    from masa_core.evaluation import protocol_settings

    try:
        defaults = protocol_settings(protocol)
    except ImportError as error:
        raise CommandError(str(error)) from error
    settings = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise CommandError(f"--set {text}: write it as NAME=VALUE")
        settings[name] = _value(name, value, defaults.get(name, ""))
    return settings


def _value(name: str, text: str, default: Any) -> Any:
    """The value in the type of the default; lists are those with a list or nothing as default."""
    if default is None or isinstance(default, tuple):
        return [part for part in text.split(",") if part]
    if isinstance(default, str):
        return text
    kind = type(default)
    try:
        value = json.loads(text.lower())
    except json.JSONDecodeError:
        value = None
    if kind is float and type(value) is int:
        value = float(value)
    if type(value) is not kind:
        wanted = {bool: "true or false", int: "a whole number", float: "a number"}[kind]
        raise CommandError(f"--set {name}={text}: {name} is {wanted}")
    return value
