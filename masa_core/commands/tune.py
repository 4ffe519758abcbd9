"""`masa tune`: the parameters of the tracker that serve best on one's own bags."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from masa_core.commands import CommandError
from masa_core.commands.given_detections import add_detection_options
from masa_core.commands.interrupt import StopOnSignal
from masa_core.commands.options import add_pipeline_options, positive, tracker_settings
from masa_core.commands.truth_options import add_truth_options

if TYPE_CHECKING:
    from masa_core.evaluation.tuning.drives import TuningDrive
    from masa_core.evaluation.tuning.outcome import Outcome
    from masa_core.evaluation.tuning.search import Search
    from masa_core.evaluation.tuning.space import Space

_DESCRIPTION = """\
Search the parameters of the tracker that score best on BAGs with truth. Detections and
embeddings are computed once for each bag and kept; a trial takes the seconds that the
tracker takes.

Writes to --output: best.yaml (parameters for the node), tune.json (figures), and
trials.journal, from which the search goes on when the command is given again. With
several bags, the search is also made without each of them, to see what the found
parameters are worth on a drive that they have not seen.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "tune",
        help="search the parameters of the tracker that score best on bags",
        description=_DESCRIPTION,
        usage="masa tune BAG... [--truth FILE|TOPIC ...] [--space FILE] [options]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bags", type=Path, nargs="+", metavar="BAG")
    parser.add_argument("--topic", help="of the images; needed where a bag has several")
    parser.add_argument(
        "--truth",
        nargs="+",
        metavar="FILE|TOPIC",
        help="one for each bag in their order, or a topic of all (default: truth.json in each)",
    )
    parser.add_argument(
        "--space",
        type=Path,
        metavar="FILE",
        help="YAML: tracker, parameters and their ranges (default: all parameters of --tracker "
        "that --set does not fix, in ranges around their defaults)",
    )
    parser.add_argument(
        "--trials", type=positive, default=100, metavar="N", help="of each search (default: 100)"
    )
    parser.add_argument(
        "--objective",
        choices=("HOTA", "AssA", "IDF1", "MOTA"),
        default="HOTA",
        help="figure of all objects to raise, mean over the bags (default: HOTA)",
    )
    parser.add_argument("--seed", type=int, default=0, help="default: 0")
    parser.add_argument(
        "--output", type=Path, default=Path("tuning"), metavar="FOLDER", help="default: tuning"
    )
    parser.add_argument(
        "--cache", type=Path, metavar="FOLDER", help="of embeddings (default: OUTPUT/cache)"
    )
    parser.add_argument(
        "--no-leave-out", action="store_true", help="leave out the searches without each bag"
    )
    parser.add_argument(
        "--progress", action="store_true", help="show the bar even if this is not a terminal"
    )
    add_truth_options(parser)
    add_detection_options(parser)
    add_pipeline_options(parser)
    parser.set_defaults(run=run, passes_on=False)


def run(args: argparse.Namespace) -> int:
    """0, or 128 + the signal that stopped it. Raises CommandError."""
    from masa_core.io import SourceError
    from masa_core.runtime import ModelError

    try:
        return _run(args)
    except (SourceError, ModelError, ValueError, OSError, ImportError) as error:
        raise CommandError(str(error)) from error


def _run(args: argparse.Namespace) -> int:
    from masa_core.commands.tuning_drives import open_drives
    from masa_core.evaluation import protocol_settings
    from masa_core.evaluation.tuning.outcome import write_outcome
    from masa_core.evaluation.tuning.search import OtherSearchError, Search
    from masa_core.evaluation.tuning.space import read_space, whole_space

    protocol_settings("bdd_mot")  # raises where its packages are missing, before the work
    fixed = tracker_settings(args.set)
    if args.space is not None and fixed:
        raise CommandError("--set: with --space, write it under 'fixed' in that file")
    space = read_space(args.space) if args.space is not None else whole_space(args.tracker, fixed)
    args.output.mkdir(parents=True, exist_ok=True)
    drives = open_drives(args)
    journal = args.output / "trials.journal"
    search = Search(drives, space, args.objective, args.seed, journal)
    with StopOnSignal() as stop:
        try:
            outcome = _search(args, search, drives, space, stop)
        except OtherSearchError as error:
            raise CommandError(
                f"{journal} is of another search (other {error}): name another --output, or "
                "delete it"
            ) from error
    if outcome is None:
        print("masa tune: stopped; the same command goes on from here", file=sys.stderr)
        return 128 + (stop.number or 0)
    write_outcome(outcome, args.output)
    print(outcome.as_text(), end="")
    print(f"written: {args.output / 'best.yaml'}, tune.json")
    return 0


def _search(
    args: argparse.Namespace,
    search: Search,
    drives: Sequence[TuningDrive],
    space: Space,
    stop: StopOnSignal,
) -> Outcome | None:
    """None where it was stopped."""
    from tqdm import tqdm

    from masa_core.evaluation.tuning.outcome import BagOutcome, Outcome

    names = [drive.name for drive in drives]
    studies = {"": names}  # the bag that is left out, and the others
    if len(names) > 1 and not args.no_leave_out:
        studies |= {name: [other for other in names if other != name] for name in names}
    done = sum(min(search.done(members), args.trials) for members in studies.values())
    total = args.trials * len(studies)
    hide = False if args.progress else None  # None: hide it where nobody looks
    found = {}
    with tqdm(total=total, initial=done, unit="trial", disable=hide) as bar:

        def after_trial() -> bool:
            bar.update()
            return stop.number is None

        for left_out, members in studies.items():
            if stop.number is None:
                found[left_out] = search.run(members, args.trials, after_trial)
    if stop.number is not None:
        return None
    best, defaults = found[""], space.defaults
    bags = [
        BagOutcome(
            name,
            search.score(defaults, name),
            search.score(best.values, name),
            search.score(found[name].values, name) if name in found else None,
        )
        for name in names
    ]
    hashes = {drive.name: dict(drive.sha256) for drive in drives}
    return Outcome(space, args.objective, best.values, best.trials, bags, hashes, args.seed)
