"""Options that say how the truth belongs to a bag: `masa evaluate-bag` and `masa tune`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from masa_core.commands import CommandError
from masa_core.commands.options import finite, from_zero

if TYPE_CHECKING:
    from masa_core.evaluation.bag.truth import TruthOptions

_IMAGES = "images"


def add_truth_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("truth")
    group.add_argument("--truth-video", metavar="NAME", help="which of the videos in the file")
    group.add_argument(
        "--truth-rate",
        type=_rate,
        metavar=f"HZ|{_IMAGES}",
        help="of a file without stamps: labels a second from the first image on, or 'images' where "
        "label k is of the k-th image (default: KITTI's 10, BDD100K's 5, or 'images' where the "
        "camera is as slow)",
    )
    group.add_argument(
        "--truth-offset",
        type=finite,
        default=0.0,
        metavar="SECONDS",
        help="added to the stamps of the truth",
    )
    group.add_argument(
        "--match-within",
        type=from_zero,
        metavar="SECONDS",
        help="between the stamps of label and image (default: half a frame)",
    )
    group.add_argument(
        "--rename",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=CLASS",
        help="a class of the detector or the truth is meant as another, such as 'lorry=truck'",
    )


def truth_source(given: str | None, bag: Path) -> str:
    """The file or topic of the truth. Raises CommandError where none is named and none is there."""
    beside = bag / "truth.json"
    if given is None and not beside.is_file():
        raise CommandError(f"{bag} holds no truth.json: name the truth with --truth")
    return given if given is not None else str(beside)


def truth_options(args: argparse.Namespace) -> TruthOptions:
    from masa_core.evaluation.bag.truth import TruthOptions

    return TruthOptions(args.truth_video, args.truth_rate, args.truth_offset, args.match_within)


def renamed(args: argparse.Namespace) -> dict[str, str]:
    """Of `--rename`. Raises CommandError."""
    names = {}
    for text in args.rename:
        name, equals, meant = text.partition("=")
        if not equals or not name or not meant:
            raise CommandError(f"--rename {text}: write it as NAME=CLASS")
        names[name] = meant
    return names


def _rate(text: str) -> float | str:
    if text == _IMAGES:
        return text
    rate = float(text)
    if not 0 < rate < 1e6:
        raise ValueError(text)
    return rate
