"""A loaded model with the cameras that share it: what exists between configure and cleanup."""

from __future__ import annotations

import threading
import traceback
from collections.abc import Mapping
from pathlib import Path

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecycleNode

from masa_core.detectors.load import load_detector
from masa_core.runtime import Model, ModelError, load_model
from masa_core.runtime.objects import ObjectModel
from masa_core.runtime.protocol import Detector
from masa_core.tracking import TrackerConfig
from masa_ros.camera import Camera
from masa_ros.frame_queue import FrameQueue
from masa_ros.intake import Arrival
from masa_ros.parameters import Settings
from masa_ros.stamp_gate import StampGate
from masa_ros.worker import Worker


class Engine:
    """Loads the model and makes the publishers. `start` subscribes and begins to work.

    gates: one for each camera, by its name.

    Raises ModelError or ValueError, with a sentence for people.
    """

    def __init__(
        self,
        node: LifecycleNode,
        settings: Settings,
        config: TrackerConfig,
        gates: Mapping[str, StampGate],
    ) -> None:
        self.model: Model = load_model(
            settings.model,
            device=settings.device,
            dtype=settings.dtype,
            threads=settings.threads or None,
        )
        _use_vocabulary(self.model, settings)
        self._detector = self._chosen(settings)
        if settings.prompt and self._detector is None:
            _prompted(self.model, settings.prompt)
        masks = self._mask_model(settings)
        self._in_work = threading.Lock()  # held while an image is tracked
        self._queue_size = settings.queue_size
        self._worker: Worker[Arrival] | None = None
        self._cameras: list[Camera] = []
        try:
            for index, (name, gate) in enumerate(gates.items()):
                camera = Camera(
                    node, index, name, gate, self.model, self._detector, masks, settings, config
                )
                self._cameras.append(camera)
        except BaseException:
            self.destroy()
            raise

    def configure(self, settings: Settings, config: TrackerConfig) -> None:
        """Changed parameters, for the next image on. Raises ValueError for unknown classes."""
        for camera in self._cameras:
            camera.configure(settings, config)

    def set_prompt(self, prompt: str) -> tuple[str, ...]:
        """Lets the model look for other classes from the next image on, and begins new epochs.

        Waits for the image in work. Returns the classes; raises ValueError, with a sentence, where
        the model takes no prompt or not this one.
        """
        with self._in_work:
            names = _prompted(self._detector or self.model, prompt)
            for camera in self._cameras:
                camera.use_new_classes()
        return names

    def start(self) -> None:
        queue: FrameQueue[Arrival] = FrameQueue(len(self._cameras), self._queue_size)
        self._worker = Worker(queue, self._process, self._failed)
        for camera in self._cameras:
            camera.start(queue)

    def stop(self, timeout_s: float) -> bool:
        """Whether the image in work came to its end in time; what waited is counted as lost."""
        for camera in self._cameras:
            camera.stop()
        worker, self._worker = self._worker, None
        if worker is None:
            return True
        waiting, finished = worker.stop(timeout_s)
        for arrival in waiting:
            self._cameras[arrival.camera].lost("stopped")
        return finished

    def destroy(self) -> None:
        """Removes the publishers. The engine is of no use afterwards."""
        for camera in self._cameras:
            camera.destroy()

    def status(self) -> list[DiagnosticStatus]:
        return [camera.status() for camera in self._cameras]

    def _chosen(self, settings: Settings) -> Detector | None:
        """Who finds the boxes, None where the model does, or a topic. May change the model."""
        if settings.detector == "proposals":
            self.model = ObjectModel(self.model)
        elif "/" in settings.detector:
            return load_detector(settings.detector, settings.device, settings.prompt)
        elif settings.detector == "bundle" and not self.model.has_detector:
            raise ModelError(
                f"model {self.model.name} finds no boxes itself: set parameter detector to topic"
            )
        return None

    def _mask_model(self, settings: Settings) -> Model | None:
        if settings.masks == "none":
            return None
        if settings.masks == "model":
            return self.model if self.model.has_masks else None
        return load_model(settings.masks, device=settings.device, dtype=settings.dtype)

    def _process(self, arrival: Arrival) -> None:
        with self._in_work:
            self._cameras[arrival.camera].process(arrival)

    def _failed(self, arrival: Arrival, error: Exception) -> None:
        where = traceback.extract_tb(error.__traceback__)[-1]
        self._cameras[arrival.camera].failed(
            f"{type(error).__name__}: {error} ({Path(where.filename).name}:{where.lineno})"
        )


def _use_vocabulary(model: Model, settings: Settings) -> None:
    if not settings.vocabulary:
        return
    if settings.model != "masa_detic" or settings.detector != "bundle":
        raise ModelError("parameter vocabulary is for the detector of model masa_detic")
    from masa_core.models.detic.vocabulary import use_vocabulary  # needs torch

    use_vocabulary(model, settings.vocabulary)


def _prompted(finder: Model | Detector, prompt: str) -> tuple[str, ...]:
    if not hasattr(finder, "set_prompt"):
        raise ValueError(
            f"the detector {getattr(finder, 'name', '')} knows fixed classes: choose among them"
            " with parameter classes"
        )
    names: tuple[str, ...] = finder.set_prompt(prompt)
    return names
