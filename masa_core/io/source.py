"""Where frames come from: one interface over videos, folders of images and rosbags."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
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

    def count_missing(self, given: int) -> None:
        """Counts the frames that the source promised and that did not come."""
        promised = self.length or 0
        if promised > given:
            self.unreadable["missing"] += promised - given
            self.examples["missing"] = f"{self.name} promises {promised} frames and gives {given}"


def open_source(path: str | Path, topic: str | None = None, fps: float | None = None) -> Source:
    """A video file, a folder of images, or a rosbag2 (folder, .mcap or .db3).

    topic: which images of a bag; needed where it has several. fps: frame rate at which a folder
    of images was taken (30 if None), since files carry no stamps.

    Raises SourceError when there is nothing to read, or an argument does not fit the source.
    """
    path = Path(path)
    if not path.exists():
        raise SourceError(f"{path} does not exist")
    kind = _kind(path)
    if topic is not None and kind != "bag":
        raise SourceError(f"{path} is a {kind}: only bags have topics")
    if fps is not None and kind != "folder":
        raise SourceError(f"{path} is a {kind} and has its own stamps: no frame rate is needed")
    if kind == "bag":
        from masa_core.io.bag_source import BagSource

        return BagSource(path, topic)
    if kind == "folder":
        from masa_core.io.folder import FolderSource

        return FolderSource(path, fps)
    from masa_core.io.video import VideoSource

    return VideoSource(path)


def _kind(path: Path) -> str:
    if path.is_dir():
        is_bag = any(file.suffix in BAG_SUFFIXES for file in path.iterdir())
        return "bag" if is_bag or (path / "metadata.yaml").exists() else "folder"
    if path.suffix == ".bag":
        raise SourceError(
            f"{path} is a ROS 1 bag: convert it with `rosbags-convert --src {path} --dst NEW`"
        )
    return "bag" if path.suffix in BAG_SUFFIXES else "video"
