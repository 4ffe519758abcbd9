"""What the worker does with one image: decode, read detections, track."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from masa_core.io.class_names import ClassNames
from masa_core.io.detection_messages import Row, usable_detections
from masa_core.pipeline import MasaPipeline, labels_of
from masa_core.runtime.protocol import Detector, Model
from masa_core.structures import Tracks
from masa_core.tracking import Tracker, TrackerConfig
from masa_ros.intake import Arrival


@dataclass(frozen=True)
class Outcome:
    """An image (H, W, 3) uint8 BGR with its tracks; what was left out; seconds by stage."""

    image: NDArray[np.uint8]
    tracks: Tracks
    ignored: Counter[str] = field(default_factory=Counter)
    latency_s: dict[str, float] = field(default_factory=dict)


class CameraTracker:
    """The tracker of one camera, on a model that cameras share.

    decode: the BGR picture of an image message; raises ImageError. read: the rows of a detections
    message, or None where the model finds the boxes, or a detector in its place. masks: cuts out
    the tracked boxes; None for no masks but those of the detections.

    For the worker thread only, but for `configure`.
    """

    def __init__(
        self,
        model: Model,
        config: TrackerConfig,
        decode: Callable[[Any], NDArray[np.uint8]],
        read: Callable[[Any], list[Row]] | None,
        detector: Detector | None = None,
        masks: Model | None = None,
    ) -> None:
        self._pipeline = MasaPipeline(model, Tracker(config), detector)
        self._pipeline.mask_model = masks
        self.names = ClassNames(() if read else self._pipeline.classes)
        self._decode = decode
        self._read = read
        self._wanted: tuple[TrackerConfig, tuple[str, ...]] = (config, ())

    def configure(self, config: TrackerConfig, classes: Sequence[str]) -> None:
        """Takes effect on the next image. Raises ValueError for a class the model does not know.

        Any class is accepted where detections come from a topic, which may name it later.
        """
        if self._read is None:
            labels_of(classes, self._pipeline.classes)
        self._wanted = config, tuple(classes)

    def use_new_classes(self) -> None:
        """The model's classes are others now, after a new prompt. Not while it tracks."""
        if self._read is None:
            self.names = ClassNames(self._pipeline.classes)

    def track(self, arrival: Arrival) -> Outcome:
        """Raises ImageError, or whatever goes wrong in the model."""
        config, classes = self._wanted
        begin = time.perf_counter()
        image = self._decode(arrival.image)
        latency_s = {"decode": time.perf_counter() - begin}
        self._pipeline.tracker.config = config

        detections, ignored = None, Counter[str]()
        if self._read is not None:
            height, width = image.shape[:2]
            rows = self._read(arrival.detections)
            detections, ignored = usable_detections(rows, height, width, self.names, classes)
        else:
            # Wanted classes that a new prompt does not name any more are passed over.
            known = enumerate(self._pipeline.classes)
            wanted = [label for label, name in known if name in classes]
            self._pipeline.labels = wanted if classes else None
        tracks = self._pipeline.step(image, arrival.stamp_ns, detections, arrival.epoch)
        return Outcome(image, tracks, ignored, {**latency_s, **self._pipeline.timings})
