"""One camera of the node: what it reads, its tracker, what it publishes, its numbers."""

from __future__ import annotations

import time

from diagnostic_msgs.msg import DiagnosticStatus
from rclpy.lifecycle import LifecycleNode

from masa_core.io.image_decoding import ImageError
from masa_core.runtime.protocol import Detector, Model
from masa_core.tracking import TrackerConfig
from masa_ros.camera_tracker import CameraTracker
from masa_ros.diagnostics import camera_status
from masa_ros.frame_queue import FrameQueue
from masa_ros.inputs import Inputs
from masa_ros.intake import Arrival, Intake
from masa_ros.outputs import Outputs
from masa_ros.parameters import Settings
from masa_ros.silence import PATIENCE_S, SilenceWatch, explain_losses
from masa_ros.stamp_gate import StampGate
from masa_ros.statistics import Statistics, Summary

_LOG_PERIOD_S = 5.0
_PATIENCE = 3  # errors in a row, after which the tracker itself may be what is broken


class Camera:
    """Made when the node is configured; `start` and `stop` follow activation.

    index: its place in the worker's queue. name: empty for the only camera. gate: outlives the
    camera, so that an epoch is never used twice. detector: finds boxes in the model's place.
    masks: cuts out the tracked boxes.

    `process` and `failed` run in the worker's thread, all else in the executor's.
    """

    def __init__(
        self,
        node: LifecycleNode,
        index: int,
        name: str,
        gate: StampGate,
        model: Model,
        detector: Detector | None,
        masks: Model | None,
        settings: Settings,
        config: TrackerConfig,
    ) -> None:
        self.name = name or "camera"
        self._node = node
        # Of its own, as what is said too often is left out by logger.
        self._logger = node.get_logger().get_child(name) if name else node.get_logger()
        self._index = index
        self._gate = gate
        self._model_name = model.name
        self._inputs = Inputs(node, f"{name}/" if name else "", settings)
        self._tracker = CameraTracker(
            model, config, self._inputs.decode, self._inputs.read, detector, masks
        )
        self.configure(settings, config)
        self._statistics = Statistics()
        self._errors_in_a_row = 0
        self._answers = SilenceWatch()
        self._lost_before: dict[str, int] = {}  # when there was an answer last
        self._intake: Intake | None = None
        self._outputs = Outputs(node, f"masa/{name}" if name else "masa")

    def configure(self, settings: Settings, config: TrackerConfig) -> None:
        """Takes over parameters from the next image on. Raises ValueError for unknown classes."""
        self._tracker.configure(config, settings.classes)
        self._settings = settings

    def start(self, queue: FrameQueue[Arrival]) -> None:
        """Subscribes. A new epoch begins, since time has passed unseen."""
        self._gate.new_epoch()
        join_size = self._settings.join_size if self._inputs.read else None
        self._intake = Intake(self._index, self._gate, queue, self._statistics, join_size)
        self._inputs.start(self._intake, self._statistics)

    def stop(self) -> None:
        """Unsubscribes. What waits in the queue is the queue owner's to give up."""
        self._inputs.stop()
        if self._intake is not None:
            self._intake.close()
            self._intake = None

    def destroy(self) -> None:
        self._outputs.destroy()

    def new_epoch(self) -> int:
        """Ids start anew with the next image; the number of its epoch."""
        return self._gate.new_epoch()

    def use_new_classes(self) -> None:
        """The model's classes are others now. No image may be in work. Begins a new epoch."""
        self._tracker.use_new_classes()
        self._gate.new_epoch()

    def clock_jumped(self, now_ns: int) -> bool:
        """See StampGate."""
        return self._gate.clock_jumped(now_ns)

    def lost(self, cause: str) -> None:
        """An image was given up by the owner of the queue."""
        self._statistics.dropped(cause)

    def process(self, arrival: Arrival) -> None:
        """Tracks an image and publishes its tracks. A bad image is counted and named."""
        begin = time.monotonic()
        try:
            outcome = self._tracker.track(arrival)
        except ImageError as error:
            self._statistics.dropped(f"bad image: {error.reason}")
            self._logger.warning(
                f"an image on {self._inputs.image_topic} cannot be used: {error}",
                throttle_duration_sec=_LOG_PERIOD_S,
            )
            return
        self._errors_in_a_row = 0
        tracked = time.monotonic()
        self._statistics.ignored(outcome.ignored)
        self._outputs.publish(
            outcome.image,
            outcome.tracks,
            arrival.image.header,
            arrival.epoch,
            self._model_name,
            self._tracker.names,
            self._settings.publish_embeddings,
        )
        end = time.monotonic()
        now_ns = self._node.get_clock().now().nanoseconds
        self._statistics.processed(
            {
                "wait": begin - arrival.received_s,
                **outcome.latency_s,
                "publish": end - tracked,
                "total": end - arrival.received_s,
                "total from stamp": (now_ns - arrival.stamp_ns) * 1e-9,
            }
        )

    def failed(self, where: str) -> None:
        """An image met an unforeseen error. where: what it was and in which line.

        After some in a row the tracker begins anew, in a new epoch.
        """
        self._statistics.dropped("internal error")
        self._errors_in_a_row += 1
        if self._errors_in_a_row % _PATIENCE == 0:
            self._gate.new_epoch()
        self._logger.error(
            f"an image on {self._inputs.image_topic} was lost to an internal error: {where}",
            throttle_duration_sec=_LOG_PERIOD_S,
        )

    def status(self) -> DiagnosticStatus:
        """For /diagnostics, to be called once a second; warns of topics on which nothing comes."""
        summary = self._statistics.summary()
        silent_s = None
        if self._intake is not None:
            self._inputs.tell_silence(self._intake)
            silent_s = self._intake.images.silent_s
        self._tell_losses(summary, silent_s)
        name = f"{self._node.get_name()}: {self.name}"
        subscribers = self._outputs.subscribers()
        return camera_status(
            name, self._model_name, self._gate.epoch, summary, subscribers, silent_s
        )

    def _tell_losses(self, summary: Summary, silent_s: float | None) -> None:
        """Warns, once, of images that come and are all lost."""
        if summary.processed_hz > 0 or silent_s is None or silent_s > PATIENCE_S:
            self._answers.heard()
            self._lost_before = summary.dropped
            return
        before = self._lost_before
        lost = {cause: n - before.get(cause, 0) for cause, n in summary.dropped.items()}
        lost = {cause: n for cause, n in lost.items() if n > 0}
        if lost and self._answers.due():
            self._logger.warning(explain_losses(self._inputs.image_topic, lost))
