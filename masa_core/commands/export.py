"""`masa export`: a torch model as a bundle for ONNX Runtime."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from masa_core.commands import CommandError

_DESCRIPTION = """\
Write a bundle with a torch model's backbone, adapter, distilled detection head and
track head, which ONNX Runtime runs without torch: `masa track --model FOLDER`. The
detectors of masa_gdino and masa_detic and the masks of SAM are not part of it.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "export",
        help="write a torch model as a bundle for ONNX Runtime",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="NAME")
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    parser.add_argument(
        "--frame",
        default="1280x720",
        metavar="WxH",
        help="size of the camera's frames, for which the graphs are made (default: %(default)s)",
    )
    parser.add_argument("--max-detections", type=int, default=50, metavar="N")
    parser.add_argument("--weights", metavar="PATH", help="file or folder with the weights")
    parser.add_argument("--random-weights", action="store_true", help="export without any weights")
    parser.set_defaults(run=run, passes_on=False)


def run(args: argparse.Namespace) -> int:
    """0. Raises CommandError when the model cannot be had or the folder is not empty."""
    from masa_core.runtime import ModelError

    size = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", args.frame)
    if not size:
        raise CommandError(f"--frame {args.frame}: write it as WIDTHxHEIGHT, such as 1280x720")
    try:
        from masa_core.models import MODELS, load
        from masa_core.models.export import export
        from masa_core.models.masa import Masa

        model = load(args.model, random_weights=args.random_weights, weights=args.weights)
        if not isinstance(model, Masa):
            raise CommandError(f"{args.model} cannot be a bundle; {', '.join(MODELS)} can")
        model.max_detections = args.max_detections
        export(model, args.folder, (int(size[2]), int(size[1])))
    except ModuleNotFoundError as error:
        raise CommandError(f"needs {error.name}: pip install 'masa_ros[export]'") from error
    except (ModelError, OSError) as error:
        raise CommandError(str(error)) from error
    print(args.folder)
    return 0
