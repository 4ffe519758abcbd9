"""Detections that a topic of a bag brings, for the images of the same bag."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from pathlib import Path

from masa_core.io.bag import BagReader
from masa_core.io.class_names import ClassNames
from masa_core.io.detection_messages import Row, masa_rows, usable_detections, vision_rows
from masa_core.io.message_stamps import header_stamp_ns
from masa_core.io.source import SourceError, SourceFrame
from masa_core.structures import Detections
from masa_core.wording import nearest

_READERS = {
    "masa_ros/msg/DetectionArray": masa_rows,
    "vision_msgs/msg/Detection2DArray": vision_rows,
}
_WINDOW_NS = 10_000_000_000  # how long after or before its image a message may be recorded


class BagDetections:
    """Joins images and detections by their exact stamps, as the node does.

    classes: the class_ids to keep; none for all. `names` learns the classes as they come.
    `ignored` counts the detections that could not be used, and the messages, by reason.
    Memory is bounded: messages are held for at most `_WINDOW_NS` of recording time.

    Raises SourceError where the bag cannot be read or has no detections on that topic.
    """

    def __init__(self, path: Path, topic: str, classes: Collection[str] = ()) -> None:
        self.names = ClassNames()
        self.ignored: Counter[str] = Counter()
        self._classes = classes
        self._reader = BagReader(path)
        kind = self._reader.topics.get(topic, "")
        if kind not in _READERS:
            self.close()
            known = [name for name, kind in self._reader.topics.items() if kind in _READERS]
            there = nearest(topic, known) if known else "; it has no detections"
            raise SourceError(f"{path} has no detections on {topic!r}{there}")
        self._read = _READERS[kind]
        self._messages = self._reader.messages(topic)
        self._last_ns = -1  # when the newest message read was recorded
        self._waiting: dict[int, tuple[int, list[Row]]] = {}  # stamp -> when recorded, rows

    def at(self, frame: SourceFrame) -> Detections | None:
        """The detections of an image, None where the bag has none with its stamp."""
        recorded_ns = frame.stamp_ns if frame.received_ns is None else frame.received_ns
        while frame.stamp_ns not in self._waiting and self._last_ns <= recorded_ns + _WINDOW_NS:
            if not self._read_next():
                break
        _, rows = self._waiting.pop(frame.stamp_ns, (0, None))
        for stamp_ns, (since_ns, _) in list(self._waiting.items()):
            if since_ns < recorded_ns - _WINDOW_NS:
                del self._waiting[stamp_ns]
        if rows is None:
            return None
        height, width = frame.image.shape[:2]
        detections, ignored = usable_detections(rows, height, width, self.names, self._classes)
        self.ignored.update(ignored)
        return detections

    def losses(self, source_ended: bool) -> list[str]:
        """What could not be used so far, in sentences."""
        return [f"{count} left out ({reason})" for reason, count in self.ignored.items() if count]

    def close(self) -> None:
        self._reader.close()

    def _read_next(self) -> bool:
        """Reads one message; whether there was one."""
        message = next(self._messages, None)
        if message is None:
            return False
        self._last_ns = message.received_ns
        try:
            content = self._reader.decode(message)
        except SourceError:
            self.ignored["message cannot be decoded"] += 1
            return True
        self._waiting[header_stamp_ns(content)] = (message.received_ns, self._read(content))
        return True
