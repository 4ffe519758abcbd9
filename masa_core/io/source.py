"""Where frames come from: one interface over videos, folders of images and rosbags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from types import TracebackType

from masa_core.structures import Frame

BAG_SUFFIXES = (".mcap", ".db3")


class SourceError(ValueError):
    """A source that cannot be opened, or not be read any further. The text is for the user."""


@dataclass(frozen=True, eq=False)
class SourceFrame(Frame):
    """A frame and its place in the source that it came from."""

    index: int = 0  # from 0; frames that could not be read keep their place
    frame_id: str = ""  # of the ROS message's header
    received_ns: int | None = None  # when the bag recorded it; None where there is no bag
    epoch: int = 0  # one more from each frame on that the clock of a bag went back at


class Source:
    """Frames in the order of the source, once. Use it in a `with` block.

    kind: "video", "folder" or "bag". name: what to call results after. length: number of frames,
    None where it is not known (for some videos it is an estimate). fps: frames per second, an
    estimate for bags.

    A frame that cannot be read is left out and counted: `unreadable` holds the number for each
    reason, `examples` the first message for each. Iterating raises SourceError where nothing more
    can be read.
    """

    kind: str
    name: str
    length: int | None
    fps: float

    def __init__(self) -> None:
        self.unreadable: Counter[str] = Counter()
        self.examples: dict[str, str] = {}

    def __iter__(self) -> Iterator[SourceFrame]:
        raise NotImplementedError

    def close(self) -> None:
        """Let go of the file. Nothing to do for most sources."""

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def count_unreadable(self, reason: str, message: str) -> None:
        self.unreadable[reason] += 1
        self.examples.setdefault(reason, message)

    def losses(self) -> list[str]:
        """What was left out, in sentences."""
        return [
            f"{count} frames left out ({reason}): {self.examples[reason]}"
            for reason, count in self.unreadable.items()
        ]

    def count_missing(self, given: int) -> None:
        """Counts the frames that the source promised and that did not come."""
        promised = self.length or 0
        if promised > given:
            self.unreadable["missing"] += promised - given
            self.examples["missing"] = f"{self.name} promises {promised} frames and gives {given}"
