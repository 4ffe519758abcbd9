"""When the clock of a recording went back: what comes then is another drive."""

from __future__ import annotations

# An image older than the newest one by more than this says that the clock went back.
JUMP_BACK_NS = 1_000_000_000


class Epochs:
    """Numbers the images of a camera by the epoch that they belong to, from 0.

    A bag may hold a clock that was set back, or a simulation that began anew. Nothing that was
    tracked before lives on then; images that merely come late change nothing.
    """

    def __init__(self) -> None:
        self._epoch = 0
        self._newest_ns: int | None = None  # in this epoch

    def of(self, stamp_ns: int) -> int:
        """The epoch of the next image."""
        newest_ns = self._newest_ns
        if newest_ns is not None and stamp_ns < newest_ns - JUMP_BACK_NS:
            self._epoch += 1
            newest_ns = None
        self._newest_ns = stamp_ns if newest_ns is None else max(stamp_ns, newest_ns)
        return self._epoch
