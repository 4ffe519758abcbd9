"""Records topics into a rosbag2 (mcap), message by message, with the time of their arrival."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosbags.interfaces import Connection
from rosbags.rosbag2 import StoragePlugin, Writer

from masa_core.io.bag import bag_typestore
from masa_ros.bag_publishing import message_class

_DEPTH = 100


class BagRecorder:
    """Writes what arrives on `topics` (name: type) while the node is spun, until it is closed.

    counts: messages of each topic so far. The messages are stored as they came, not decoded.
    Raises rosbags' WriterError where there is something at `path`.
    """

    def __init__(self, node: Node, path: Path, topics: Mapping[str, str]) -> None:
        self.counts: Counter[str] = Counter()
        self._node = node
        # version 8 is the newest that Humble reads
        self._writer = Writer(path, version=8, storage_plugin=StoragePlugin.MCAP)
        self._writer.open()
        typestore = bag_typestore()
        qos = QoSProfile(depth=_DEPTH, reliability=ReliabilityPolicy.RELIABLE)
        self._subscriptions = []
        for topic, kind in topics.items():
            connection = self._writer.add_connection(topic, kind, typestore=typestore)
            record = partial(self._record, connection)
            self._subscriptions.append(
                node.create_subscription(message_class(kind), topic, record, qos, raw=True)
            )

    def _record(self, connection: Connection, raw: bytes) -> None:
        self._writer.write(connection, time.time_ns(), raw)
        self.counts[connection.topic] += 1

    def close(self) -> None:
        """Ends the recording; the bag is complete then."""
        for subscription in self._subscriptions:
            self._node.destroy_subscription(subscription)
        self._writer.close()
