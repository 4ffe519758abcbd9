"""`python -m training.frames`: frames of videos, folders and bags, as images to segment."""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from masa_core.commands.interrupt import StopOnSignal
from masa_core.io import Source, SourceError, open_source
from masa_core.io.atomic import write_text
from masa_core.io.image_files import write_image
from training.console import show_any_name

_DESCRIPTION = """\
Take frames out of each SOURCE (a video file, a folder of images, or a rosbag2) and write
them to the folder OUT as SOURCENAME-STAMP.jpg, the stamp in nanoseconds.

A frame that looks like the last one kept of its source is left out: the camera stood
still. Start it again to go on: sources that are finished are left alone.
"""
_THUMBNAIL = 32  # px a side


@dataclass(frozen=True)
class Settings:
    """every_s: time between frames. change: see `looks_new`. suffix: ".jpg" or ".png"."""

    every_s: float = 1.0
    change: float = 10.0
    suffix: str = ".jpg"


@dataclass
class Tally:
    """Of one source. alike: frames that were left out because nothing had changed."""

    kept: int = 0
    alike: int = 0


def main(arguments: list[str] | None = None) -> int:
    """0; 1 where a source cannot be read to its end; 2 for wrong arguments; 128 + signal."""
    args = _parser().parse_args(arguments)
    settings = Settings(args.every, args.change, f".{args.format}")
    show_any_name()
    failed = False
    with StopOnSignal() as stop:
        for path in args.sources:
            try:
                with open_source(path, args.topic, args.fps) as source:
                    _take(source, path, args.out, settings, stop)
            except (SourceError, OSError) as error:
                print(f"training.frames: {error}", file=sys.stderr)
                failed = True
            if stop.number is not None:
                return 128 + stop.number
    return int(failed)


def _take(source: Source, path: Path, out: Path, settings: Settings, stop: StopOnSignal) -> None:
    """Takes the frames of a source that is not finished yet, and says so. Raises SourceError."""
    out.mkdir(parents=True, exist_ok=True)
    mark = out / f".{source.name}.frames.json"  # hidden: no image, no segments
    origin = {"source": str(path.resolve()), "topic": getattr(source, "topic", "")}
    done = _read(mark)
    if done and {key: done.get(key) for key in origin} != origin:
        raise SourceError(
            f"{out} has frames of {done.get('source')}, which has the same name: name another OUT"
        )
    if done and done.get("settings") == asdict(settings) and "kept" in done:
        print(f"{source.name}: finished before ({done['kept']} frames)")
        return
    write_text(mark, json.dumps(origin))
    tally = take_frames(source, out, settings, stop)
    for loss in source.losses():
        print(loss, file=sys.stderr)
    state = "stopped" if stop.number is not None else "finished"
    print(f"{source.name}: {state}, {tally.kept} frames kept, {tally.alike} alike left out")
    if stop.number is None:
        write_text(mark, json.dumps(origin | {"settings": asdict(settings)} | asdict(tally)))


def take_frames(source: Source, out: Path, settings: Settings, stop: StopOnSignal) -> Tally:
    """Writes the frames that are due and new to `out`, until the end or a signal."""
    tally = Tally()
    due_ns, epoch, last = -1, 0, None
    for frame in tqdm(source, desc=source.name, total=source.length, unit="frame", disable=None):
        if stop.number is not None:
            break
        if frame.epoch == epoch and frame.stamp_ns < due_ns:
            continue
        due_ns, epoch = frame.stamp_ns + round(settings.every_s * 1e9), frame.epoch
        small = thumbnail(frame.image)
        if last is not None and not looks_new(small, last, settings.change):
            tally.alike += 1
            continue
        last = small
        tally.kept += 1
        drive = f"-{epoch}" if epoch else ""  # the clock went back: stamps may come again
        name = f"{source.name}{drive}-{frame.stamp_ns:019d}{settings.suffix}"
        if not (out / name).exists():
            write_image(out / name, frame.image)
    return tally


def thumbnail(image: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(32, 32) float32 grey levels, each the mean of its part of the image: free of noise."""
    grey = cv2.cvtColor(image, cv2.COLOR_BGR2GRAY).astype(np.float32)
    return np.asarray(cv2.resize(grey, (_THUMBNAIL, _THUMBNAIL), interpolation=cv2.INTER_AREA))


def looks_new(small: NDArray[np.float32], other: NDArray[np.float32], change: float) -> bool:
    """Whether any part of a thumbnail differs by over `change` grey levels, brightness aside.

    The largest difference, not the mean: a person who walks through the picture of a camera that
    stands still changes few parts.
    """
    difference = small - other
    return bool(np.abs(difference - np.median(difference)).max() > change)


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 <= value < 1e9:
        raise ValueError(text)
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.frames",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("sources", nargs="+", type=Path, metavar="SOURCE")
    parser.add_argument("out", type=Path, metavar="OUT")
    parser.add_argument(
        "--every", type=_seconds, default=1.0, metavar="SECONDS", help="default: 1; 0 for all"
    )
    parser.add_argument(
        "--change",
        type=float,
        default=10.0,
        metavar="LEVELS",
        help="grey levels by which a part of the picture must change (default: 10; -1 keeps all)",
    )
    parser.add_argument("--topic", help="of the images in a bag; needed where it has several")
    parser.add_argument("--fps", type=float, help="of a folder of images (default: 30)")
    parser.add_argument("--format", choices=("jpg", "png"), default="jpg")
    return parser


if __name__ == "__main__":
    sys.exit(main())
