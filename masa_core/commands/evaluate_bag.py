"""`masa evaluate-bag`: how well a rosbag is tracked, offline or as on the robot."""

from __future__ import annotations

import argparse
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from masa_core.commands import CommandError
from masa_core.commands.given_detections import add_detection_options
from masa_core.commands.options import add_pipeline_options, finite, from_zero
from masa_core.commands.ros import require_ros
from masa_core.commands.track_bag import track_bag
from masa_core.commands.truth_options import add_truth_options, renamed, truth_options, truth_source

if TYPE_CHECKING:
    from masa_core.evaluation.bag.camera import Camera
    from masa_core.evaluation.bag.run import Run
    from masa_core.evaluation.bag.truth import Truth

WORSE = 3  # exit code

_DESCRIPTION = """\
Track the images of BAG, score the tracks against the truth, and write a folder:
report.html for people, figures.json (figures, configuration, SHA-256 of bag, truth and
model), results.json and truth.json (Scalabel, the labelled frames).

Labels may be rarer than images: every image is tracked, those with a label are scored.
--offline (default) reads the bag without ROS, every frame, as fast as it goes; the same
input gives the same figures. --live plays it in real time to the tracker node and scores
what came in time: late and dropped frames cost what they cost on the robot.
"""
_EPILOG = """\
exit codes: 0; 1 for an error; 2 for wrong usage; 3 where HOTA fell by more than
--tolerance since --baseline; 130 for Ctrl-C.
"""


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "evaluate-bag",
        help="score the tracking of a rosbag, offline or in real time, and report on it",
        description=_DESCRIPTION,
        epilog=_EPILOG,
        usage="masa evaluate-bag BAG [--truth FILE|TOPIC] [options]",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("source", type=Path, metavar="BAG")
    parser.add_argument("--topic", help="of the images; needed where the bag has several")
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help="default: NAME.evaluation for a bag NAME"
    )
    parser.add_argument(
        "--truth",
        metavar="FILE|TOPIC",
        help="Scalabel JSON, KITTI tracking labels (.txt), or a topic of the bag with "
        "masa_ros/TrackArray (default: truth.json in BAG, as of masa drive)",
    )
    add_truth_options(parser)
    parser.add_argument(
        "--baseline", type=Path, metavar="FILE", help="figures.json of an earlier run to compare to"
    )
    parser.add_argument(
        "--tolerance",
        type=finite,
        default=0.5,
        metavar="POINTS",
        help="that HOTA may fall below the baseline (default: %(default)s)",
    )
    parser.add_argument(
        "--progress", action="store_true", help="show the bar even if this is not a terminal"
    )
    _add_live_options(parser)
    add_detection_options(parser)
    add_pipeline_options(parser)
    parser.set_defaults(run=run, passes_on=False)


def _add_live_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("in real time")
    mode = group.add_mutually_exclusive_group()
    mode.add_argument("--offline", action="store_true", help="the default")
    mode.add_argument("--live", action="store_true", help="needs ROS 2 and this package in it")
    group.add_argument(
        "--deadline",
        type=from_zero,
        default=0.5,
        metavar="SECONDS",
        help="tracks that come later after their image count as none (default: %(default)s)",
    )
    group.add_argument(
        "--params-file", type=Path, metavar="FILE", help="parameters of the node that is started"
    )
    group.add_argument(
        "--running",
        action="store_true",
        help="play to a tracker that runs already, on the topics of the bag",
    )
    group.add_argument(
        "--node",
        default="/masa_tracker",
        metavar="NAME",
        help="of --running (default: %(default)s)",
    )
    group.add_argument(
        "--tracks",
        default="/masa/tracks",
        metavar="TOPIC",
        help="on which the tracker of --running answers (default: %(default)s)",
    )


def run(args: argparse.Namespace) -> int:
    """0, or 3 where tracking has become worse. Raises CommandError."""
    from masa_core.io import SourceError
    from masa_core.runtime import ModelError

    if args.running and not args.live:
        raise CommandError("--running needs --live")
    try:
        return _run(args)
    except (SourceError, ModelError, ValueError, OSError, ImportError) as error:
        raise CommandError(str(error)) from error


def _run(args: argparse.Namespace) -> int:
    # Here, because making the parser must be cheap.
    from masa_core.evaluation import protocol_settings
    from masa_core.evaluation.bag.assessment import assess
    from masa_core.evaluation.bag.baseline import check_same_drive, compare, read_baseline
    from masa_core.evaluation.bag.camera import read_camera
    from masa_core.evaluation.bag.files import write_files
    from masa_core.evaluation.bag.provenance import bag_hash, truth_hash
    from masa_core.evaluation.bag.summary import as_text
    from masa_core.evaluation.bag.truth import read_truth

    protocol_settings("bdd_mot")  # raises where its packages are missing, before the work
    camera = read_camera(args.source, args.topic)
    where = truth_source(args.truth, args.source)
    truth = read_truth(camera, where, truth_options(args))
    bag = bag_hash(args.source)
    hashes = {"bag": bag, "truth": truth_hash(where, bag)}
    baseline = None
    if args.baseline is not None:  # before the work, that it may not be in vain
        baseline = read_baseline(args.baseline)
        check_same_drive(baseline, args.baseline, hashes)
    folder = args.output or Path(f"{args.source.resolve().name}.evaluation")
    folder.mkdir(parents=True, exist_ok=True)
    tracked = _live(args, camera, truth, folder) if args.live else track_bag(args, truth)
    assessment = assess(camera, truth, tracked, renamed(args), hashes)
    comparison = None
    if baseline is not None:
        comparison = compare(baseline, args.baseline, assessment.report, args.tolerance)
    write_files(folder, assessment, comparison)
    print(as_text(assessment, comparison, folder), end="")
    return WORSE if comparison is not None and comparison.fell else 0


def _live(args: argparse.Namespace, camera: Camera, truth: Truth, folder: Path) -> Run:
    require_ros("--live")
    # By name, because the library must not depend on its ROS part.
    run: Run = import_module("masa_ros.evaluate_bag").track_live(args, camera, truth, folder)
    return run
