"""`ros2 run masa_ros evaluate_bag`, and the part of `masa evaluate-bag` that needs ROS: --live."""

from __future__ import annotations

import argparse
import os
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from masa_core.cli import main as masa
from masa_core.commands import CommandError
from masa_core.commands.options import tracker_config, tracker_settings
from masa_core.evaluation.bag.camera import Camera
from masa_core.evaluation.bag.provenance import model_hash
from masa_core.evaluation.bag.run import Run
from masa_core.evaluation.bag.truth import Truth
from masa_core.io.bag import BagReader
from masa_core.runtime import ModelError
from masa_ros.parameters import PREFIX, Settings
from masa_ros.private_domain import private_domain

_DETECTION_TYPES = {
    "masa_ros/msg/DetectionArray": "masa_ros",
    "vision_msgs/msg/Detection2DArray": "vision_msgs",
}
_NOT_IN_THE_NODE = ("everything", "weights", "random_weights", "detections_video")
_LATE_S = 0.02  # of the player, from which it is told


def main(argv: list[str] | None = None) -> int:
    """As `masa evaluate-bag`."""
    return masa(["evaluate-bag", *(sys.argv[1:] if argv is None else argv)])


def track_live(args: argparse.Namespace, camera: Camera, truth: Truth, folder: Path) -> Run:
    """Plays the bag to a node, on a DDS domain of its own unless it runs already.

    Raises CommandError for options that the node does not have, and where the run fails.
    """
    for option in _NOT_IN_THE_NODE:
        if getattr(args, option):
            raise CommandError(f"--{option.replace('_', '-')} is not for --live")
    detections = _detections_type(args, camera)
    with ExitStack() as stack:
        if not args.running:
            os.environ.update(stack.enter_context(private_domain()))
        # After the environment is set.
        from masa_ros.listener import RunError
        from masa_ros.live_answers import read_answers
        from masa_ros.live_run import Replayed, play_live

        replayed = Replayed(
            bag=args.source,
            images=camera.topic,
            compressed="Compressed" in camera.type,
            detections=args.detections,
            tracks=args.tracks if args.running else "/masa/tracks",
            node=args.node if args.running else "/masa_tracker",
            parameters=None if args.running else _parameters(args, camera, detections),
            params_file=args.params_file,
            deadline_s=args.deadline,
        )
        try:
            played = play_live(replayed, folder, len(camera.stamps_ns), args.progress)
        except RunError as error:
            raise CommandError(str(error)) from error
    answers = read_answers(
        played.recording,
        replayed.tracks,
        camera,
        played.published_ns,
        truth.images,
        args.deadline,
    )
    losses = []
    if answers.strangers:
        losses.append(f"{answers.strangers} messages of tracks had the stamp of no image")
    if played.late_s > _LATE_S:
        losses.append(f"the player was up to {played.late_s * 1e3:.0f} ms behind the recording")
    return Run(
        mode="live",
        by_image=answers.by_image,
        configuration=_configuration(args, played.parameters),
        model_sha256=_model_hash(played.parameters),
        losses=losses,
        timings=answers.timings,
        deadline_s=args.deadline,
        lost=answers.lost,
    )


def _detections_type(args: argparse.Namespace, camera: Camera) -> str | None:
    """The node's name of the type on the topic of detections. Raises CommandError."""
    if args.detections is None:
        return None
    with BagReader(camera.bag) as reader:
        kind = reader.topics.get(args.detections, "")
        known = [name for name, kind in reader.topics.items() if kind in _DETECTION_TYPES]
    if kind not in _DETECTION_TYPES:
        raise CommandError(
            f"--detections {args.detections}: with --live, it is a topic of the bag with "
            f"detections; the bag has {', '.join(known) or 'none'}"
        )
    return _DETECTION_TYPES[kind]


def _parameters(args: argparse.Namespace, camera: Camera, detections: str | None) -> dict[str, Any]:
    """Of the node to be started: what the options say, where that is not the node's default."""
    settings = Settings()
    asked = {
        "model": args.model,
        "device": args.device,
        "dtype": args.dtype,
        "detector": args.detector or settings.detector,
        "masks": args.masks or settings.masks,
        "prompt": args.prompt or settings.prompt,
        "vocabulary": args.vocabulary or settings.vocabulary,
        "classes": tuple(args.classes) if args.classes else settings.classes,
    }
    parameters: dict[str, Any] = {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asked.items()
        if value != getattr(settings, name)
    }
    config = tracker_config(args.tracker, args.set)
    changed = tracker_settings(args.set)
    tracker = {"preset": args.tracker} | {name: getattr(config, name) for name in sorted(changed)}
    if args.params_file is None or changed:
        parameters["tracker"] = tracker
    parameters["image_transport"] = "compressed" if "Compressed" in camera.type else "raw"
    if detections is not None:
        parameters |= {"detector": "topic", "detections_type": detections}
    return {**parameters, "use_sim_time": True}


def _configuration(args: argparse.Namespace, parameters: dict[str, Any] | None) -> dict[str, Any]:
    """Under the names of offline runs; what only a node has comes last."""
    if parameters is None:
        return {"node": f"{args.node} did not tell its parameters"}
    own = {name: value for name, value in parameters.items() if not name.startswith(PREFIX)}
    tracker = {n[len(PREFIX) :]: value for n, value in parameters.items() if n.startswith(PREFIX)}
    classes = [name for name in own.pop("classes", ()) if name]
    detector = own.pop("detector", "unknown")
    return {
        "model": own.pop("model", "unknown"),
        "device": own.pop("device", "unknown"),
        "dtype": own.pop("dtype", "unknown"),
        "detections": args.detections or ("of the model" if detector == "bundle" else detector),
        "classes": classes or "all",
        "masks": own.pop("masks", "unknown"),
        "prompt": own.pop("prompt", "") or "none",
        "vocabulary": own.pop("vocabulary", "") or "none",
        "tracker": tracker.pop("preset", "unknown"),
        "parameters": tracker,
        "node": {name: own[name] for name in sorted(own)},
    }


def _model_hash(parameters: dict[str, Any] | None) -> str | None:
    try:
        return None if parameters is None else model_hash(parameters["model"])
    except (KeyError, ModelError):
        return None


if __name__ == "__main__":
    sys.exit(main())
