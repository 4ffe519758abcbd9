"""The waiting room between the subscriptions and the one worker: bounded, the newest frame wins."""

from __future__ import annotations

import threading
from collections import deque
from typing import Generic, TypeVar

T = TypeVar("T")


class FrameQueue(Generic[T]):
    """A short queue for each camera, emptied in turn so that no camera starves another.

    A full queue gives up its oldest frame for the newest. Within a camera, frames keep their
    order. Thread-safe; closed once, for good.
    """

    def __init__(self, cameras: int, size: int) -> None:
        """size: frames that wait, of each camera."""
        if size < 1:
            raise ValueError(f"size of a frame queue must be at least 1, got {size}")
        self._waiting: list[deque[T]] = [deque() for _ in range(cameras)]
        self._size = size
        self._turn = 0
        self._closed = False
        self._changed = threading.Condition()

    def __len__(self) -> int:
        with self._changed:
            return sum(map(len, self._waiting))

    def put(self, camera: int, frame: T) -> T | None:
        """Adds the newest frame of a camera; the frame given up for it, if any.

        A closed queue gives back the frame itself.
        """
        with self._changed:
            if self._closed:
                return frame
            waiting = self._waiting[camera]
            waiting.append(frame)
            self._changed.notify()
            return waiting.popleft() if len(waiting) > self._size else None

    def take(self) -> T | None:
        """Waits for a frame: the oldest of the camera whose turn it is. None once closed."""
        with self._changed:
            while not self._closed:
                for step in range(len(self._waiting)):
                    camera = (self._turn + step) % len(self._waiting)
                    if self._waiting[camera]:
                        self._turn = camera + 1
                        return self._waiting[camera].popleft()
                self._changed.wait()
            return None

    def close(self) -> list[T]:
        """Ends all waiting; the frames that nobody took."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            left = [frame for waiting in self._waiting for frame in waiting]
            for waiting in self._waiting:
                waiting.clear()
            return left
