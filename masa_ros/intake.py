"""What the subscription callbacks of one camera do: judge the stamp, join, enqueue, count."""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass, replace
from typing import Any

from masa_ros.frame_queue import FrameQueue
from masa_ros.silence import SilenceWatch
from masa_ros.stamp_gate import StampGate
from masa_ros.stamp_join import Pair, StampJoin
from masa_ros.statistics import Statistics

# How the join's counters are named for people.
_IMAGES_LOST = {
    "no_detections": "no detections came",
    "late_image": "came after its detections were given up",
    "duplicate_image": "out of order",
}
_DETECTIONS_LOST = {
    "no_image": "detections: no image came",
    "late_detections": "detections: late",
    "duplicate_detections": "detections: out of order",
}


@dataclass(frozen=True)
class Arrival:
    """An image that waits for the worker, as it came; `detections` is None without a topic."""

    camera: int
    epoch: int
    stamp_ns: int
    received_s: float  # time.monotonic()
    image: Any
    detections: Any = None


class Intake:
    """One camera's way from the subscriptions to the worker's queue.

    join_size: images that may wait for detections from a topic; None where the model detects.
    Not thread-safe: for the callbacks of one executor thread.
    """

    def __init__(
        self,
        camera: int,
        gate: StampGate,
        queue: FrameQueue[Arrival],
        statistics: Statistics,
        join_size: int | None = None,
    ) -> None:
        self._camera = camera
        self._gate = gate
        self._queue = queue
        self._statistics = statistics
        self._join: StampJoin[Arrival, Any] | None = StampJoin(join_size) if join_size else None
        self._epoch = gate.epoch
        self._noted: Counter[str] = Counter()  # losses of the join that are counted already
        self.images = SilenceWatch()
        self.detections = SilenceWatch()

    def add_image(self, stamp_ns: int, message: Any) -> None:
        self.images.heard()
        self._statistics.received()
        if stamp_ns == 0:
            self._statistics.dropped("has no stamp")
            return
        epoch = self._gate.admit(stamp_ns)
        if epoch is None:
            self._statistics.dropped("out of order")
            return
        arrival = Arrival(self._camera, epoch, stamp_ns, time.monotonic(), message)
        if self._join is None:
            self._enqueue(arrival)
            return
        if epoch != self._epoch:
            self._give_up("of an earlier epoch")
            self._epoch = epoch
        self._after_join(self._join.add_image(stamp_ns, arrival))

    def add_detections(self, stamp_ns: int, message: Any) -> None:
        assert self._join is not None
        self.detections.heard()
        self._after_join(self._join.add_detections(stamp_ns, message))

    def close(self) -> None:
        """Gives up what waits for a partner. The queue is closed by its owner."""
        if self._join is not None:
            self._give_up("stopped")

    def _after_join(self, pair: Pair[Arrival, Any] | None) -> None:
        assert self._join is not None
        for cause, words in _IMAGES_LOST.items():
            self._statistics.dropped(words, self._new_losses(cause))
        self._statistics.ignored(
            {words: self._new_losses(cause) for cause, words in _DETECTIONS_LOST.items()}
        )
        if pair is not None:
            self._enqueue(replace(pair.image, detections=pair.detections))

    def _new_losses(self, cause: str) -> int:
        assert self._join is not None
        new = self._join.dropped[cause] - self._noted[cause]
        self._noted[cause] += new
        return new

    def _give_up(self, cause: str) -> None:
        assert self._join is not None
        images = self._join.pending_images
        self._statistics.dropped(cause, images)
        self._statistics.ignored({f"detections: {cause}": self._join.pending - images})
        self._join.reset()

    def _enqueue(self, arrival: Arrival) -> None:
        if self._queue.put(self._camera, arrival) is not None:
            self._statistics.dropped("replaced by newer")
