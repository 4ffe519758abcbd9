"""The images of a rosbag2 topic as a source."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np

from masa_core.io.bag import BagReader
from masa_core.io.epochs import Epochs
from masa_core.io.folder import DEFAULT_FPS
from masa_core.io.image_decoding import ImageError, decode_compressed, decode_image
from masa_core.io.message_stamps import header_stamp_ns
from masa_core.io.source import Source, SourceError, SourceFrame
from masa_core.wording import nearest

DECODERS = {
    "sensor_msgs/msg/Image": decode_image,
    "sensor_msgs/msg/CompressedImage": decode_compressed,
}
_FPS_MESSAGES = 30  # of the start of the bag, from which the frame rate is estimated


class BagSource(Source):
    """Images in order of recording, stamped with their header's stamp.

    An image that its driver did not stamp (0) gets the time at which it was recorded. Where stamps
    go back by more than a second, a new epoch begins, as in the node.
    Raises SourceError where `topic` is None and the bag has several image topics, or none.
    """

    kind = "bag"

    def __init__(self, path: Path, topic: str | None = None) -> None:
        super().__init__()
        self.path = path
        self.name = path.resolve().name if path.is_dir() else path.stem
        self._reader = BagReader(path)
        try:
            self.topic = _image_topic(self._reader, topic)
        except SourceError:
            self.close()
            raise
        self.length = self._reader.counts[self.topic]
        self.fps = self._estimated_fps()

    def close(self) -> None:
        self._reader.close()

    def __iter__(self) -> Iterator[SourceFrame]:
        index, epochs = -1, Epochs()
        for index, message in enumerate(self._reader.messages(self.topic)):
            try:
                content = self._reader.decode(message)
                image = DECODERS[message.type](content)
            except ImageError as error:
                self.count_unreadable(error.reason, f"{self.topic}: {error}")
                continue
            except SourceError as error:
                self.count_unreadable("message", str(error))
                continue
            stamp_ns = header_stamp_ns(content) or message.received_ns
            yield SourceFrame(
                image,
                stamp_ns,
                str(stamp_ns),
                index,
                content.header.frame_id,
                message.received_ns,
                epochs.of(stamp_ns),
            )
        self.count_missing(index + 1)

    def _estimated_fps(self) -> float:
        """From the usual time between recordings: the median is deaf to gaps and bursts."""
        messages = islice(self._reader.messages(self.topic), _FPS_MESSAGES)
        try:
            gaps_ns = np.diff([message.received_ns for message in messages])
        except SourceError:  # will be told when the frames are read
            return DEFAULT_FPS
        gap_ns = float(np.median(gaps_ns)) if len(gaps_ns) else 0.0
        return 1e9 / gap_ns if gap_ns > 0 else DEFAULT_FPS


def _image_topic(reader: BagReader, topic: str | None) -> str:
    images = [name for name, kind in reader.topics.items() if kind in DECODERS]
    if topic is None:
        if len(images) == 1:
            return images[0]
        if images:
            raise SourceError(
                f"{reader.path} has several image topics, name one: {', '.join(images)}"
            )
        there = ", ".join(f"{name} ({kind})" for name, kind in reader.topics.items())
        raise SourceError(f"{reader.path} has no images; it has {there or 'no messages'}")
    if topic in images:
        return topic
    if topic in reader.topics:
        raise SourceError(f"{topic} in {reader.path} holds {reader.topics[topic]}, not images")
    raise SourceError(f"{reader.path} has no images on {topic!r}{nearest(topic, images)}")
