"""`masa download`: fetch published weights, when asked."""

from __future__ import annotations

import argparse
from pathlib import Path

from masa_core.commands import CommandError


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "download",
        help="fetch the published weights of a model",
        description="Fetch the published weights of a model. Nothing else ever downloads.",
    )
    parser.add_argument("name", metavar="NAME", help="such as masa_r50 or sam_vitb")
    parser.add_argument(
        "--to", type=Path, metavar="FOLDER", help="default: $MASA_WEIGHTS, or ~/.cache/masa_ros"
    )
    parser.set_defaults(run=run, passes_on=False)


def run(args: argparse.Namespace) -> int:
    """0. Raises CommandError when the name, the network, the disk or the checksum is at fault."""
    from masa_core.runtime import ModelError

    try:
        from masa_core.models.download import download

        print(download(args.name, args.to))
    except ModuleNotFoundError as error:
        raise CommandError(f"needs {error.name}: pip install 'masa_ros[torch]'") from error
    except (ModelError, OSError) as error:
        raise CommandError(str(error)) from error
    return 0
