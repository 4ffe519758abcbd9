"""Plays topics of a rosbag2 as they were recorded, in real time and with /clock:
`python -m masa_ros.bag_replay BAG TOPIC... --images TOPIC --log FILE`.

Unlike masa_ros.bag_player this leaves the stamps as they are: who listens should use sim time,
which is that of the recording. Nothing is played before somebody listens to each topic.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import rclpy
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy
from rosgraph_msgs.msg import Clock

from masa_core.io.atomic import AtomicText
from masa_core.io.bag import BagReader
from masa_core.io.source import SourceError
from masa_ros.bag_player import message_class
from masa_ros.cdr import read_stamp, write_stamp

_LEAD_NS = 1_000_000_000  # between the match of listeners and the first message
_TICK_NS = 10_000_000  # of /clock
_DEPTH = 10
_ACKNOWLEDGE_S = 10.0


class Replay:
    """published_ns: wall time at which each message of `images` was published, in their order.
    late_s: by how much any message was late, at most."""

    def __init__(self, node: Node, reader: BagReader, topics: list[str], images: str) -> None:
        self.published_ns: list[int] = []
        self.late_s = 0.0
        self._node = node
        self._reader = reader
        self._images = images
        qos = QoSProfile(depth=_DEPTH, reliability=ReliabilityPolicy.RELIABLE)
        self._publishers: dict[str, Any] = {
            topic: node.create_publisher(message_class(reader.topics[topic]), topic, qos)
            for topic in topics
        }
        self._clock = node.create_publisher(Clock, "/clock", 10)

    def wait_for_listeners(self, seconds: float) -> None:
        """Raises TimeoutError when nobody subscribes to one of the topics in time."""
        deadline = time.monotonic() + seconds
        for topic, publisher in self._publishers.items():
            while publisher.get_subscription_count() == 0:
                if time.monotonic() > deadline:
                    raise TimeoutError(f"nobody subscribed to {topic} in {seconds:g} s")
                time.sleep(0.02)

    def play(self) -> None:
        """Publishes everything. Raises SourceError where the bag is damaged."""
        offset_ns = None  # of the steady clock from the time of recording
        for message in self._reader.messages(*self._publishers):
            if offset_ns is None:
                offset_ns = time.monotonic_ns() + _LEAD_NS - message.received_ns
            while (left_ns := message.received_ns + offset_ns - time.monotonic_ns()) > 0:
                self._tick(message.received_ns - left_ns)
                time.sleep(min(left_ns, _TICK_NS) * 1e-9)
            self.late_s = max(self.late_s, -left_ns * 1e-9)
            self._tick(message.received_ns)
            raw = bytes(message.raw)
            if message.topic == self._images:
                if len(raw) >= 12 and read_stamp(raw) == 0:  # not stamped by its driver
                    raw = write_stamp(raw, message.received_ns)
                self.published_ns.append(time.time_ns())
            self._publishers[message.topic].publish(raw)
        for publisher in self._publishers.values():
            publisher.wait_for_all_acked(Duration(seconds=_ACKNOWLEDGE_S))

    def _tick(self, now_ns: int) -> None:
        message = Clock()
        message.clock.sec, message.clock.nanosec = divmod(now_ns, 1_000_000_000)
        self._clock.publish(message)


def main(argv: list[str] | None = None) -> int:
    """Prints one line of JSON: `sent`, the number of images, and `late_s`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bag", type=Path)
    parser.add_argument("topics", nargs="+")
    parser.add_argument("--images", required=True, help="which of the topics has the images")
    parser.add_argument("--log", type=Path, required=True, help="takes the times of the images")
    parser.add_argument("--wait", type=float, default=60.0, help="for listeners, seconds")
    argv = sys.argv if argv is None else ["bag_replay", *argv]
    args = parser.parse_args(rclpy.utilities.remove_ros_args(argv)[1:])
    rclpy.init(args=argv)
    node = rclpy.create_node("bag_replay")
    try:
        with BagReader(args.bag) as reader:
            replay = Replay(node, reader, args.topics, args.images)
            replay.wait_for_listeners(args.wait)
            replay.play()
        log = AtomicText(args.log)
        log.write("".join(f"{wall_ns}\n" for wall_ns in replay.published_ns))
        log.commit()
        print(json.dumps({"sent": len(replay.published_ns), "late_s": replay.late_s}), flush=True)
    except (ImportError, OSError, SourceError, TimeoutError) as error:
        print(f"bag_replay: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
