"""`masa convert`: a published checkpoint to safetensors, with a YAML of its origin."""

from __future__ import annotations

import argparse
from pathlib import Path

from masa_core.commands import CommandError

_DESCRIPTION = """\
Write FOLDER/NAME.safetensors and FOLDER/NAME.yaml (model, SHA-256, origin) for a published
MASA checkpoint. No code in the checkpoint is run; a file that would need that is refused.
Name the folder in MASA_WEIGHTS, and the models are loaded from there.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "convert",
        help="convert a published checkpoint to safetensors and YAML",
        description=_DESCRIPTION,
    )
    parser.add_argument("checkpoint", type=Path, metavar="IN.pth")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument("--model", metavar="NAME", help="by default recognised by the weights")
    parser.set_defaults(run=run, passes_on=False)


def run(args: argparse.Namespace) -> int:
    """0. Raises CommandError when the file is no checkpoint that fits, or torch is missing."""
    from masa_core.runtime import ModelError

    try:
        from masa_core.models.convert import convert

        written = convert(args.checkpoint, args.folder, args.model)
    except ModuleNotFoundError as error:
        raise CommandError(f"needs {error.name}: pip install 'masa_ros[torch]'") from error
    except (ModelError, OSError) as error:
        raise CommandError(str(error)) from error
    print(f"{written}\n{written.with_suffix('.yaml')}")
    return 0
