"""The one thread that runs the model."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Generic, TypeVar

from masa_ros.frame_queue import FrameQueue

T = TypeVar("T")


class Worker(Generic[T]):
    """Handles the frames of a queue, one after the other, until it is stopped.

    fail: called with the frame and the exception when `handle` raises one; the next frame is
    handled all the same.
    """

    def __init__(
        self,
        queue: FrameQueue[T],
        handle: Callable[[T], None],
        fail: Callable[[T, Exception], None],
    ) -> None:
        self._queue = queue
        self._handle = handle
        self._fail = fail
        # A daemon, so that a model that hangs cannot keep the process from ending.
        self._thread = threading.Thread(target=self._run, name="masa_worker", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float) -> tuple[list[T], bool]:
        """The frames that were still waiting, and whether the frame in work came to its end."""
        left = self._queue.close()
        self._thread.join(timeout_s)
        return left, not self._thread.is_alive()

    def _run(self) -> None:
        while (frame := self._queue.take()) is not None:
            try:
                self._handle(frame)
            except Exception as error:  # whatever one frame does, the next one is tracked
                self._fail(frame, error)
