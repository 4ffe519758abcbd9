"""MasaPipeline: a frame, with or without detections, becomes tracks. The one way through."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from masa_core.runtime.protocol import Detector, Features, Model
from masa_core.structures import Detections, Mask, Tracks
from masa_core.tracking import Tracker
from masa_core.tracking.camera_motion import CameraMotion
from masa_core.wording import nearest


def labels_of(names: Sequence[str], classes: Sequence[str]) -> list[int]:
    """The labels of the named classes. Raises ValueError for a name that is none of them."""
    for name in names:
        if name not in classes:
            raise ValueError(f"unknown class {name!r}{nearest(name, classes)}")
    return [label for label, name in enumerate(classes) if name in names]


def _check_frame(frame_bgr: NDArray[np.uint8]) -> None:
    """Other pictures would be tracked, too, or fail far from here: models see nothing in them."""
    if not isinstance(frame_bgr, np.ndarray):
        raise ValueError(f"a frame must be a (H, W, 3) uint8 BGR array, got {frame_bgr!r:.40}")
    shape = frame_bgr.shape
    if frame_bgr.dtype != np.uint8 or len(shape) != 3 or shape[2] != 3 or frame_bgr.size == 0:
        raise ValueError(
            f"a frame must be a (H, W, 3) uint8 BGR array, got {shape} {frame_bgr.dtype}: convert "
            "it (cv2.cvtColor, cv2.convertScaleAbs)"
        )


class MasaPipeline:
    """Detect, embed, track, and cut out masks, one frame after the other (paper, Fig. 3).

    model: gives embeddings, and boxes where no detector is named and none are handed in.
    tracker: keeps the identities; one for each camera.
    detector: finds boxes in place of the model's own detector.
    masks: a model that gives masks in place of the tracked model's own.

    `labels` may be set to the labels to track, as from `labels_of`; None tracks them all.
    `mask_model` may be set to None, to have no masks but those that come with the boxes.
    `timings` holds the seconds that each stage of the last step took.
    """

    def __init__(
        self,
        model: Model,
        tracker: Tracker,
        detector: Detector | None = None,
        masks: Model | None = None,
    ) -> None:
        if masks is not None and not masks.has_masks:
            raise ValueError(f"model {masks.name} gives no masks")
        self.model = model
        self.tracker = tracker
        self.detector = detector
        self.mask_model = masks if masks is not None else (model if model.has_masks else None)
        self.labels: list[int] | None = None
        self._camera = CameraMotion()
        self._epoch = 0
        self.timings: dict[str, float] = {}

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels of what is found; those of a prompt may change."""
        return self.model.classes if self.detector is None else self.detector.classes

    def reset(self) -> None:
        """Forget all tracks."""
        self.tracker.reset()
        self._camera.reset()

    def step(
        self,
        frame_bgr: NDArray[np.uint8],
        stamp_ns: int,
        detections: Detections | None = None,
        epoch: int = 0,
    ) -> Tracks:
        """The tracks of one (H, W, 3) uint8 BGR frame, boxes in its pixels.

        detections: boxes found elsewhere; none (not even empty ones) lets the detector find them.
        epoch: of the stamps; where it is another one than before, all tracks are forgotten first.
        Raises ValueError when there are no detections and nothing to find them with, or when the
        frame is no such array.
        """
        _check_frame(frame_bgr)
        if epoch != self._epoch:
            self.reset()
            self._epoch = epoch
        self.timings = {}
        features, embeddings = None, np.zeros((0, 0), np.float32)
        if detections is not None:
            detections = self._wanted(detections)
        if detections is None or len(detections):
            with self._timed("encode"):
                features = self.model.encode(frame_bgr)
            if detections is None:
                with self._timed("detect"):
                    detections = self._wanted(self._detect(frame_bgr, features))
            # Only these need an embedding. `update` looks for duplicates again, for those who call
            # it alone, and finds none: 0.1 ms for 100 boxes (2-core x86 VM), far less than an
            # embedding of each takes.
            detections = self.tracker.without_duplicates(detections)
            with self._timed("embed"):
                embeddings = self.model.embed(features, detections.boxes)
        tracks = self._track(frame_bgr, detections, embeddings, stamp_ns)
        if tracks.masks is None and self.mask_model is not None:
            with self._timed("masks"):
                tracks.masks = self._cut_out(frame_bgr, features, tracks)
        return tracks

    def _cut_out(
        self, frame_bgr: NDArray[np.uint8], features: Features | None, tracks: Tracks
    ) -> list[Mask]:
        """features: of the model, where it has looked at the frame already."""
        assert self.mask_model is not None
        if len(tracks) == 0:
            return []
        if features is None or self.mask_model is not self.model:
            features = self.mask_model.encode(frame_bgr)
        return self.mask_model.masks(features, tracks.boxes)

    def _detect(self, frame_bgr: NDArray[np.uint8], features: Features) -> Detections:
        if self.detector is not None:
            return self.detector.detect(frame_bgr)
        if not self.model.has_detector:
            raise ValueError(f"model {self.model.name} has no detector: hand in detections")
        return self.model.detect(features)

    def _wanted(self, detections: Detections) -> Detections:
        if self.labels is None:
            return detections
        return detections[np.isin(detections.labels, self.labels)]

    def _track(
        self,
        frame_bgr: NDArray[np.uint8],
        detections: Detections,
        embeddings: NDArray[np.float32],
        stamp_ns: int,
    ) -> Tracks:
        moved = None
        if self.tracker.wants_camera_motion:
            with self._timed("camera motion"):
                moved = self._camera.to(frame_bgr, detections.boxes)
        else:
            self._camera.reset()  # switched on again, it begins anew
        with self._timed("track"):
            return self.tracker.update(detections, embeddings, stamp_ns, moved)

    @contextmanager
    def _timed(self, stage: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self.timings[stage] = time.perf_counter() - begin
