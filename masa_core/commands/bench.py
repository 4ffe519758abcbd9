"""`masa bench association`: what an update of the trackers costs, side by side."""

from __future__ import annotations

import argparse
from typing import Any

from masa_core.commands import CommandError
from masa_core.commands.options import positive


def add_parser(subparsers: Any) -> None:
    parser = subparsers.add_parser(
        "bench",
        help="measure speed",
        description="Milliseconds of one update of each tracker, by turns on the same made-up"
        " scenes: objects that move, a part of which is detected in each frame. Set"
        " OMP_NUM_THREADS=1 for one core.",
    )
    parser.add_argument("what", choices=["association"])
    parser.add_argument(
        "--sizes",
        nargs="+",
        default=["50/100", "200/500", "300/1000"],
        metavar="DETECTIONS/TRACKS",
        help="default: %(default)s",
    )
    parser.add_argument("--frames", type=positive, default=40, metavar="N", help="counted frames")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-peers", action="store_true", help="leave out the package trackers")
    parser.set_defaults(run=run, passes_on=False)


def run(args: argparse.Namespace) -> int:
    from masa_core.evaluation.association_speed import FORGET_NOTHING, measure
    from masa_core.evaluation.peers import PEERS

    names = list(FORGET_NOTHING) + ([] if args.no_peers else list(PEERS))
    print(f"{'ms, median of ' + str(args.frames):22s}" + "".join(f"{n:>11s}" for n in names))
    for size in args.sizes:
        try:
            count, alive = map(positive, size.split("/"))
        except ValueError:
            raise CommandError(f"--sizes {size}: give DETECTIONS/TRACKS, such as 50/100") from None
        try:
            medians = measure(names, count, alive, args.frames, args.seed)
        except ImportError as error:
            raise CommandError(f"{error}, or add --no-peers") from None
        print(f"{size:22s}" + "".join(f"{median:11.2f}" for median in medians))
    return 0
