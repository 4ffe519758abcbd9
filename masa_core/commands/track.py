"""`masa track`: tracks the objects in a video, a folder of images or a rosbag."""

from __future__ import annotations

import argparse
import signal
import sys
from pathlib import Path

from masa_core.commands import CommandError
from masa_core.commands.interrupt import StopOnSignal
from masa_core.commands.options import add_pipeline_options, load_pipeline, tracker_config
from masa_core.commands.track_outputs import Outputs, add_output_options, check_output_options
from masa_core.commands.track_tally import Tally
from masa_core.io import Source, SourceError, open_source
from masa_core.pipeline import MasaPipeline
from masa_core.runtime import ModelError

_DESCRIPTION = """\
Track the objects in SOURCE: a video file, a folder of images (in natural order of
their names), or a rosbag2 (its folder, or an .mcap or .db3 file).

Without an output option, the tracks go to NAME.mot.txt in the current folder, where
NAME is that of SOURCE. Outputs appear when they are complete; files are replaced, bags
are not. Ctrl-C stops after the frame in hand: the outputs then hold what was tracked
until there (exit code 130).
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "track",
        help="track the objects in a video, a folder of images or a rosbag",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", type=Path, metavar="SOURCE")
    parser.add_argument("--topic", help="of the images in a bag; needed where it has several")
    parser.add_argument("--fps", type=float, help="of a folder of images (default: 30)")
    parser.add_argument("--max-frames", type=_positive, metavar="N", help="stop after N frames")
    parser.add_argument(
        "--progress", action="store_true", help="show the bar even if this is not a terminal"
    )
    add_output_options(parser)
    add_pipeline_options(parser)
    parser.set_defaults(run=run, passes_on=False)


def run(args: argparse.Namespace) -> int:
    """0, 1 where the source or an output broke, 128 + the signal that stopped it.

    Raises CommandError where nothing could be tracked.
    """
    config = tracker_config(args.tracker, args.set)
    try:
        with open_source(args.source, args.topic, args.fps) as source:
            check_output_options(args, source)
            pipeline = load_pipeline(args, config)
            return _run(source, pipeline, args)
    except (SourceError, OSError) as error:
        raise CommandError(str(error)) from error


def _run(source: Source, pipeline: MasaPipeline, args: argparse.Namespace) -> int:
    outputs, tally, problem = Outputs(args, source, pipeline.model), Tally(), ""
    with StopOnSignal() as stop:
        try:
            with outputs:
                _track(source, pipeline, outputs, tally, stop, args)
        except KeyboardInterrupt:  # the second Ctrl-C
            stop.number = signal.SIGINT
        except (SourceError, ModelError, OSError) as error:
            problem = str(error)
    for reason, count in source.unreadable.items():
        print(f"{count} frames unreadable ({reason}): {source.examples[reason]}", file=sys.stderr)
    for topic, reason in outputs.not_copied.items():
        print(f"{topic} was not copied: {reason}", file=sys.stderr)
    if tally.frames:
        written = [str(path) for path in outputs.paths]
        print(tally.table(sum(source.unreadable.values()), written))
    if problem:
        raise CommandError(f"{problem} (stopped after {tally.frames} frames)")
    if stop.number is not None:
        print(f"masa track: stopped after {tally.frames} frames", file=sys.stderr)
        return 128 + stop.number
    if not tally.frames:
        raise CommandError(f"not one frame of {args.source} could be read; nothing was written")
    return 0


def _track(
    source: Source,
    pipeline: MasaPipeline,
    outputs: Outputs,
    tally: Tally,
    stop: StopOnSignal,
    args: argparse.Namespace,
) -> None:
    from tqdm import tqdm

    frames = iter(source)
    total = min(filter(None, (source.length, args.max_frames)), default=None)
    hide = False if args.progress else None  # None: hide it where nobody looks
    with tqdm(total=total, unit="frame", disable=hide) as bar:
        while stop.number is None and tally.frames != args.max_frames:
            with tally.timed("read"):
                frame = next(frames, None)
            if frame is None:
                outputs.source_ended()
                return
            tracks = pipeline.step(frame.image, frame.stamp_ns)
            with tally.timed("write"):
                outputs.write(frame, tracks)
            tally.add(tracks, pipeline.timings)
            bar.update()


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number
