"""Which images of a camera may pass, and in which epoch they belong, judged by their stamps."""

from __future__ import annotations

import threading

from masa_core.io.epochs import JUMP_BACK_NS


class StampGate:
    """Keeps the stamps of one camera in order.

    An image that is not newer than the last one is turned away, but one that is older by more
    than a second means that the clock went back, as in a bag that is played again: a new epoch
    begins with it. Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._epoch = 0
        self._newest_ns: int | None = None  # in this epoch

    @property
    def epoch(self) -> int:
        return self._epoch

    def admit(self, stamp_ns: int) -> int | None:
        """The epoch of an image that arrives; None if it may not pass, being out of order."""
        with self._lock:
            if self._newest_ns is not None and stamp_ns <= self._newest_ns:
                if stamp_ns >= self._newest_ns - JUMP_BACK_NS:
                    return None
                self._epoch += 1
            self._newest_ns = stamp_ns
            return self._epoch

    def new_epoch(self) -> int:
        """Begins a new epoch with the next image, whatever its stamp. An epoch without images
        is not left: the number stays."""
        with self._lock:
            if self._newest_ns is not None:
                self._epoch += 1
                self._newest_ns = None
            return self._epoch

    def clock_jumped(self, now_ns: int) -> bool:
        """Tells of a jump of the clock to `now_ns`; whether a new epoch begins because of it.

        It does if the last image lies in the future now. Otherwise the images have jumped
        already, or it was a jump forwards, which tracks may outlive.
        """
        with self._lock:
            if self._newest_ns is None or self._newest_ns <= now_ns + JUMP_BACK_NS:
                return False
            self._epoch += 1
            self._newest_ns = None
            return True
