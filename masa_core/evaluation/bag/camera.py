"""The images of a bag's camera: how many there are, and when each was taken."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from masa_core.evaluation.bag.stamps import usual_period_ns
from masa_core.io.bag import BagReader
from masa_core.io.bag_source import BagSource
from masa_core.io.message_stamps import header_stamp_ns
from masa_core.io.source import SourceError


@dataclass(frozen=True, eq=False)
class Camera:
    """stamps_ns: (N,) of each image of the topic in order of recording, that of its header or else
    when it was recorded. type: of its messages."""

    bag: Path
    topic: str
    type: str
    stamps_ns: NDArray[np.int64]

    @property
    def period_ns(self) -> int:
        return usual_period_ns(self.stamps_ns)

    @property
    def seconds(self) -> float:
        """From the first stamp to the last."""
        return float(np.ptp(self.stamps_ns)) * 1e-9


def read_camera(bag: Path, topic: str | None) -> Camera:
    """Goes through the whole bag once. topic: None where the bag has but one with images.

    Raises SourceError where it cannot be read, or has no such topic.
    """
    source = BagSource(bag, topic)
    source.close()
    topic = source.topic
    stamps = []
    with BagReader(bag) as reader:
        kind = reader.topics[topic]
        for message in reader.messages(topic):
            try:
                stamp_ns = header_stamp_ns(reader.decode(message))
            except SourceError:  # counted when the images are used
                stamp_ns = 0
            stamps.append(stamp_ns or message.received_ns)
    return Camera(bag, topic, kind, np.array(stamps, np.int64))
