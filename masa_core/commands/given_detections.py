"""`--detections`: boxes from a file, or from a topic of the bag, in place of the model's own."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from masa_core.commands import CommandError
from masa_core.io import Source, SourceFrame
from masa_core.io.class_names import ClassNames
from masa_core.io.joined import GivenDetections
from masa_core.io.public_detections import PublicDetections, read_detections
from masa_core.pipeline import labels_of
from masa_core.structures import Detections


def add_detection_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("detections from elsewhere")
    group.add_argument(
        "--detections",
        metavar="FILE|TOPIC",
        help="track these boxes: MOTChallenge text, Scalabel or COCO JSON, the pickles of MASA's "
        "authors; or a topic of the bag (masa_ros/DetectionArray or vision_msgs/Detection2DArray), "
        "joined to the images by their stamps",
    )
    group.add_argument(
        "--detections-video", metavar="NAME", help="which video of the file, if it has several"
    )
    group.add_argument(
        "--detections-images", metavar="FILE", help="the data set that COCO results belong to"
    )


def open_detections(args: argparse.Namespace, source: Source) -> GivenDetections | None:
    """What `--detections` names, None without it. Raises CommandError, or SourceError."""
    if args.detections is None:
        for option in ("video", "images"):
            if getattr(args, f"detections_{option}") is not None:
                raise CommandError(f"--detections-{option} needs --detections")
        return None
    if source.kind == "bag" and not Path(args.detections).exists():
        from masa_core.io.bag_detections import BagDetections

        return BagDetections(args.source, args.detections, args.classes or ())
    public = read_detections(args.detections, source, args.detections_video, args.detections_images)
    try:
        return _FileDetections(public, args.classes)
    except ValueError as error:
        raise CommandError(f"--classes: {error}") from error


class _FileDetections:
    def __init__(self, public: PublicDetections, classes: list[str] | None) -> None:
        self.names = ClassNames(public.classes)
        self._public = public
        self._labels = None if classes is None else labels_of(classes, public.classes)

    def at(self, frame: SourceFrame) -> Detections:
        detections = self._public.at(frame)
        if self._labels is None:
            return detections
        return detections[np.isin(detections.labels, self._labels)]

    def losses(self, source_ended: bool) -> list[str]:
        leftovers = self._public.leftovers() if source_ended else ""
        return [leftovers] if leftovers else []

    def close(self) -> None:
        pass  # the file was read whole
