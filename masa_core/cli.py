"""The `masa` command."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from masa_core.commands import (
    CommandError,
    bench,
    convert,
    demo,
    download,
    drive,
    evaluate,
    evaluate_bag,
    export,
    track,
    tune,
)

COMMANDS = (track, evaluate, evaluate_bag, tune, drive, bench, demo, export, convert, download)


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command. Exit code: 1 for an error, 2 for wrong usage, 130 for Ctrl-C."""
    parser = argparse.ArgumentParser(
        prog="masa", description="Track any detected object: identities and masks."
    )
    subparsers = parser.add_subparsers(metavar="COMMAND", required=True, dest="command")
    for command in COMMANDS:
        command.add_parser(subparsers)
    args, rest = parser.parse_known_args(argv)
    if rest and not args.passes_on:
        parser.error(f"masa {args.command} knows no {' '.join(rest)}")
    args.rest = rest
    try:
        return int(args.run(args))
    except CommandError as error:
        print(f"masa {args.command}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"masa {args.command}: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    raise SystemExit(main())
