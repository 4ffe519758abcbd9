"""Images and the detections made from them, joined by exactly equal stamps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from masa_core.io.epochs import JUMP_BACK_NS

ImageT = TypeVar("ImageT")
DetectionsT = TypeVar("DetectionsT")


@dataclass(frozen=True)
class Pair(Generic[ImageT, DetectionsT]):
    image: ImageT
    detections: DetectionsT


class StampJoin(Generic[ImageT, DetectionsT]):
    """A bounded waiting room for images and detections; either may come first.

    Pairs come out in the order of their stamps. A pair that completes gives up everything older
    that still waits (newest wins: a tracker cannot go back). When more than `capacity` images, or
    more than `capacity` detections, wait, the oldest is given up, of detections the one that came
    first. A stamp that was given up or paired is closed: what still comes for it or for older
    stamps is late. But detections more than a second ahead of all images close nothing: where
    their clock was wrong for a while, images would be late until it is that time.

    An image more than a second older than the newest one means that the clock went back (a bag
    that loops): what waits is given up and the join starts afresh. Detections cannot do this;
    theirs would be the first stamps to be wrong.

    Nothing is lost silently: at any time
    ``received == 2 * pairs + sum(dropped.values()) + pending``.

    Not thread-safe: call it from one thread, or from callbacks of one mutually exclusive group.
    The counters may be read from anywhere.
    """

    def __init__(self, capacity: int) -> None:
        """capacity: of each side. The wait of the slowest detections, in frames, and some more."""
        if capacity < 1:
            raise ValueError(f"capacity of a join must be at least 1, got {capacity}")
        self.received = 0  # messages of both sides
        self.pairs = 0
        self.dropped = {
            "no_detections": 0,  # images given up because their detections had not come
            "no_image": 0,  # detections given up because their image had not come
            "late_image": 0,  # came after their stamp was closed
            "late_detections": 0,
            "duplicate_image": 0,  # a second one with the same stamp; the first counts
            "duplicate_detections": 0,
            "clock_jump": 0,  # were waiting when the clock went back
            "reset": 0,
        }
        self._capacity = capacity
        self._images: dict[int, ImageT] = {}
        self._detections: dict[int, DetectionsT] = {}
        self._newest_image_ns: int | None = None
        self._closed_ns: int | None = None  # this stamp and all older ones
        self._last_pair_ns: int | None = None

    @property
    def pending(self) -> int:
        """Messages that wait for their partner."""
        return len(self._images) + len(self._detections)

    @property
    def pending_images(self) -> int:
        """Images that wait for their detections."""
        return len(self._images)

    def add_image(self, stamp_ns: int, image: ImageT) -> Pair[ImageT, DetectionsT] | None:
        """Takes an image in; returns the pair if its detections were waiting."""
        newest = self._newest_image_ns
        if newest is not None and stamp_ns < newest - JUMP_BACK_NS:
            self.reset("clock_jump")
            newest = None
        self._newest_image_ns = stamp_ns if newest is None else max(stamp_ns, newest)
        return self._add(stamp_ns, image, self._images, "image")

    def add_detections(
        self, stamp_ns: int, detections: DetectionsT
    ) -> Pair[ImageT, DetectionsT] | None:
        """Takes detections in; returns the pair if their image was waiting."""
        return self._add(stamp_ns, detections, self._detections, "detections")

    def reset(self, cause: str = "reset") -> None:
        """Gives up all that waits and forgets the stamps. The counters go on."""
        self.dropped[cause] += self.pending
        self._images.clear()
        self._detections.clear()
        self._newest_image_ns = self._closed_ns = self._last_pair_ns = None

    def _add(
        self, stamp_ns: int, message: Any, waiting: dict[int, Any], side: str
    ) -> Pair[ImageT, DetectionsT] | None:
        self.received += 1
        if stamp_ns in waiting or stamp_ns == self._last_pair_ns:
            self.dropped[f"duplicate_{side}"] += 1
            return None
        if self._closed_ns is not None and stamp_ns <= self._closed_ns:
            self.dropped[f"late_{side}"] += 1
            return None
        waiting[stamp_ns] = message
        if stamp_ns in self._images and stamp_ns in self._detections:
            pair = Pair(self._images.pop(stamp_ns), self._detections.pop(stamp_ns))
            self.pairs += 1
            self._last_pair_ns = stamp_ns
            self._close(stamp_ns)
            return pair
        if len(self._images) > self._capacity:
            self._close(min(self._images))
        if len(self._detections) > self._capacity:
            self._give_up_detections()
        return None

    def _give_up_detections(self) -> None:
        first_ns = next(iter(self._detections))
        newest = self._newest_image_ns
        if newest is not None and first_ns <= newest + JUMP_BACK_NS:
            self._close(first_ns)
        else:
            del self._detections[first_ns]
            self.dropped["no_image"] += 1

    def _close(self, stamp_ns: int) -> None:
        self._closed_ns = stamp_ns
        for waiting, cause in ((self._images, "no_detections"), (self._detections, "no_image")):
            for old in [stamp for stamp in waiting if stamp <= stamp_ns]:
                del waiting[old]
                self.dropped[cause] += 1
