"""`masa drive`: writes a synthetic drive with exact truth, to evaluate trackers on."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from masa_core.commands import CommandError
from masa_core.commands.interrupt import StopOnSignal

_DESCRIPTION = """\
Write a synthetic drive to OUT, a new folder: a rosbag2 (mcap) with camera images on
/camera/image_raw/compressed and detections on /detections, truth.json (Scalabel, as BDD100K's,
with boxes and masks) and drive.yaml (settings, and what the drive holds). The same settings give
the same truth. OUT appears when it is whole; Ctrl-C leaves nothing.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "drive",
        help="write a synthetic drive with exact truth, to evaluate trackers on",
        description=_DESCRIPTION,
        argument_default=argparse.SUPPRESS,  # the defaults are those of DriveSettings
    )
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument("--seed", type=int, metavar="N", help="default: 0")
    parser.add_argument("--seconds", type=float, metavar="S", help="default: 60")
    parser.add_argument("--size", type=_size, metavar="WxH", help="default: 1280x720")
    parser.add_argument("--camera-hz", type=float, metavar="HZ", help="default: 30")
    parser.add_argument("--truth-hz", type=float, metavar="HZ", help="default: 5")
    parser.add_argument(
        "--detections",
        choices=("perfect", "noisy"),
        help="perfect: all objects with their masks (default); noisy: boxes with misses, jitter "
        "and false positives",
    )
    parser.add_argument("--raw", action="store_true", help="images as pixels in place of JPEG")
    parser.add_argument("--shake", type=float, help="of the camera, 0 for none (default: 1)")
    parser.add_argument(
        "--cutouts",
        type=Path,
        metavar="FOLDER",
        help="images with segments in SA-1B's format, whose objects appear in place of drawn ones",
    )
    parser.add_argument(
        "--paths",
        type=Path,
        metavar="FILE",
        help="KITTI tracking labels, whose objects' motion takes the place of the traffic",
    )
    parser.add_argument(
        "--progress",
        action="store_true",
        default=False,
        help="show the bar even if this is not a terminal",
    )
    group = parser.add_argument_group("another background than the shipped clip")
    group.add_argument(
        "--background",
        type=Path,
        metavar="SOURCE",
        help="video, folder or bag, taken from a moving car; what it shows is in no truth",
    )
    group.add_argument(
        "--playback", type=float, metavar="X", help="1 plays it as it was taken (default)"
    )
    group.add_argument("--camera-m-s", type=float, metavar="V", help="its speed (default: 12)")
    group.add_argument(
        "--vanishing-point",
        type=_point,
        metavar="X,Y",
        help="where its road meets the horizon, in shares of the frame (default: 0.5,0.5)",
    )
    parser.set_defaults(run=run, passes_on=False)


class _Stopped(Exception):
    """The user wants it to end."""


def run(args: argparse.Namespace) -> int:
    """0, or 128 + the signal that stopped it. Raises CommandError."""
    from tqdm import tqdm

    from masa_core.evaluation.drive import write_drive
    from masa_core.io import SourceError

    if not args.out.absolute().parent.is_dir():
        raise CommandError(f"{args.out}: there is no folder {args.out.parent}")
    try:
        settings = _settings(args)
        hide = False if args.progress else None  # None: hide it where nobody looks
        with StopOnSignal() as stop, tqdm(total=settings.frames, unit="frame", disable=hide) as bar:

            def on_frame() -> None:
                bar.update()
                if stop.number is not None:
                    raise _Stopped

            about = write_drive(args.out, settings, on_frame)
    except _Stopped:
        print("masa drive: stopped; nothing was written", file=sys.stderr)
        return 128 + int(stop.number or 0)
    except (SourceError, ValueError, OSError) as error:
        raise CommandError(str(error)) from error
    _print_table({"drive": args.out, **about["holds"]})
    return 0


def _settings(args: argparse.Namespace) -> Any:
    """Of the options. Raises CommandError, ValueError."""
    from masa_core.evaluation.drive import Backdrop, DriveSettings

    given = vars(args)
    options = {name: given[name] for name in DriveSettings.__dataclass_fields__ if name in given}
    own = ("playback", "camera_m_s", "vanishing_point")
    backdrop = {name: given[name] for name in own if name in given}
    if "background" in options:
        options["background"] = Backdrop(options["background"], **backdrop)
    elif backdrop:
        option = "--" + next(iter(backdrop)).replace("_", "-")
        raise CommandError(f"{option} needs --background: the shipped clip has its own")
    return DriveSettings(**options)


def _print_table(rows: dict[str, Any]) -> None:
    for name, value in rows.items():
        if isinstance(value, dict):
            value = ", ".join(f"{count} {key}" for key, count in value.items())
        print(f"{name.replace('_', ' '):22} {value}")


def _size(text: str) -> tuple[int, int]:
    try:
        width, height = (int(part) for part in text.lower().split("x"))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no size such as 1280x720") from None
    return width, height


def _point(text: str) -> tuple[float, float]:
    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is no point such as 0.5,0.56") from None
    return x, y
