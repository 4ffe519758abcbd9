"""`masa track`: tracks the objects in a video, a folder of images or a rosbag."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from masa_core.commands import CommandError
from masa_core.commands.given_detections import add_detection_options, open_detections
from masa_core.commands.interrupt import StopOnSignal
from masa_core.commands.options import (
    add_pipeline_options,
    load_pipeline,
    positive,
    tracker_config,
)
from masa_core.commands.track_outputs import Outputs, add_output_options, check_output_options
from masa_core.commands.track_tally import Tally
from masa_core.io import Source, SourceError, SourceFrame, open_source
from masa_core.io.class_names import ClassNames
from masa_core.io.joined import GivenDetections, joined
from masa_core.pipeline import MasaPipeline
from masa_core.runtime import ModelError
from masa_core.structures import Detections

_DESCRIPTION = """\
Track the objects in SOURCE: a video file, a folder of images (in natural order of
their names), or a rosbag2 (its folder, or an .mcap or .db3 file).

Without an output option, the tracks go to NAME.mot.txt in the current folder, where
NAME is that of SOURCE. Outputs appear when they are complete; files are replaced, bags
are not. Ctrl-C stops after the frame in hand: the outputs then hold what was tracked
until there (exit code 130). Where the stamps of a bag go back by more than a second,
tracking begins anew, with ids that were not used before.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "track",
        help="track the objects in a video, a folder of images or a rosbag",
        description=_DESCRIPTION,
        usage="masa track SOURCE [options]",  # before options that take several values
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", type=Path, metavar="SOURCE")
    parser.add_argument("--topic", help="of the images in a bag; needed where it has several")
    parser.add_argument("--fps", type=float, help="of a folder of images (default: 30)")
    parser.add_argument("--max-frames", type=positive, metavar="N", help="stop after N frames")
    parser.add_argument(
        "--progress", action="store_true", help="show the bar even if this is not a terminal"
    )
    add_output_options(parser)
    add_detection_options(parser)
    add_pipeline_options(parser)
    parser.set_defaults(run=run, passes_on=False)


def run(args: argparse.Namespace) -> int:
    """0, 1 where the source or an output broke, 128 + the signal that stopped it.

    Raises CommandError where nothing could be tracked.
    """
    config = tracker_config(args.tracker, args.set)
    try:
        with ExitStack() as stack:
            source = stack.enter_context(open_source(args.source, args.topic, args.fps))
            check_output_options(args, source)
            detections = open_detections(args, source)
            if detections is not None:
                stack.callback(detections.close)
            pipeline = load_pipeline(args, config, detects=detections is None)
            return _run(args, source, detections, pipeline)
    except (SourceError, OSError) as error:
        raise CommandError(str(error)) from error


def _run(
    args: argparse.Namespace,
    source: Source,
    detections: GivenDetections | None,
    pipeline: MasaPipeline,
) -> int:
    names = ClassNames(pipeline.classes) if detections is None else detections.names
    outputs = Outputs(args, source, pipeline.model.name, names)
    tally, problem, ended = Tally(), "", False
    with StopOnSignal() as stop:
        try:
            with outputs:
                work = joined(source, detections)
                ended = _track(args, work, source.length, pipeline, outputs, tally, stop)
                if ended:
                    outputs.source_ended()
        except KeyboardInterrupt:  # the second Ctrl-C
            stop.number = signal.SIGINT
        except (SourceError, ModelError, OSError) as error:
            problem = str(error)
    losses = source.losses()
    losses += [f"{topic} was not copied: {reason}" for topic, reason in outputs.not_copied.items()]
    losses += detections.losses(ended) if detections is not None else []
    for loss in losses:
        print(loss, file=sys.stderr)
    if tally.frames:
        written = [str(path) for path in outputs.paths]
        print(tally.table(source.unreadable.total(), written))
    if problem:
        raise CommandError(f"{problem} (stopped after {tally.frames} frames)")
    if stop.number is not None:
        print(f"masa track: stopped after {tally.frames} frames", file=sys.stderr)
        return 128 + stop.number
    if not tally.frames:
        raise CommandError(f"not one frame of {args.source} could be read; nothing was written")
    return 0


def _track(
    args: argparse.Namespace,
    work: Iterator[tuple[SourceFrame, Detections | None]],
    length: int | None,
    pipeline: MasaPipeline,
    outputs: Outputs,
    tally: Tally,
    stop: StopOnSignal,
) -> bool:
    """Whether everything was tracked."""
    from tqdm import tqdm

    epoch = first_id = 0
    total = min(filter(None, (length, args.max_frames)), default=None)
    hide = False if args.progress else None  # None: hide it where nobody looks
    with tqdm(total=total, unit="frame", disable=hide) as bar:
        while stop.number is None and tally.frames != args.max_frames:
            with tally.timed("read"):
                item = next(work, None)
            if item is None:
                return True
            frame, detections = item
            if frame.epoch != epoch:
                epoch, first_id = frame.epoch, max(tally.ids, default=-1) + 1
            tracks = pipeline.step(frame.image, frame.stamp_ns, detections, epoch)
            tracks.ids = tracks.ids + first_id  # files of results know no epochs
            with tally.timed("write"):
                outputs.write(frame, tracks)
            tally.add(tracks, pipeline.timings)
            bar.update()
    return False
