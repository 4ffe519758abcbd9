"""Plays topics of a rosbag2 as they were recorded, in real time and with /clock:
`python -m masa_ros.bag_replay BAG TOPIC... --images TOPIC --log FILE`.

Unlike masa_ros.bag_player this leaves the stamps as they are: who listens should use sim time,
which is that of the recording. Nothing is played before somebody listens to each topic.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from rclpy.node import Node
from rosgraph_msgs.msg import Clock

from masa_core.io.atomic import write_text
from masa_core.io.bag import BagReader
from masa_ros.bag_publishing import BagPublishers, run
from masa_ros.cdr import read_stamp, write_stamp

_LEAD_NS = 1_000_000_000  # between the match of listeners and the first message
_TICK_NS = 10_000_000  # of /clock


class _Clock:
    """Tells the time of the recording on /clock."""

    def __init__(self, node: Node) -> None:
        self._publisher = node.create_publisher(Clock, "/clock", 10)

    def tick(self, now_ns: int) -> None:
        message = Clock()
        message.clock.sec, message.clock.nanosec = divmod(now_ns, 1_000_000_000)
        self._publisher.publish(message)


def play(node: Node, reader: BagReader, args: argparse.Namespace) -> dict[str, Any]:
    """Publishes everything, and writes to the log at which wall time each image was published.

    Returns how many images were `sent`, and `late_s`, the most that a message was late.
    Raises TimeoutError when nobody subscribes in time, SourceError where the bag is at fault.
    """
    publishers = BagPublishers(node, reader, args.topics)
    clock = _Clock(node)
    publishers.wait_for_listeners(args.wait)
    published_ns: list[int] = []
    late_s = 0.0
    offset_ns = None  # of the steady clock from the time of recording
    for message in reader.messages(*args.topics):
        if offset_ns is None:
            offset_ns = time.monotonic_ns() + _LEAD_NS - message.received_ns
        while (left_ns := message.received_ns + offset_ns - time.monotonic_ns()) > 0:
            clock.tick(message.received_ns - left_ns)
            time.sleep(min(left_ns, _TICK_NS) * 1e-9)
        late_s = max(late_s, -left_ns * 1e-9)
        clock.tick(message.received_ns)
        raw = bytes(message.raw)
        if message.topic == args.images:
            if len(raw) >= 12 and read_stamp(raw) == 0:  # not stamped by its driver
                raw = write_stamp(raw, message.received_ns)
            published_ns.append(time.time_ns())
        publishers.publish(message.topic, raw)
    publishers.wait_for_arrival()
    write_text(args.log, "".join(f"{wall_ns}\n" for wall_ns in published_ns))
    return {"sent": len(published_ns), "late_s": late_s}


def main(argv: list[str] | None = None) -> int:
    """Prints what `play` returns as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bag", type=Path)
    parser.add_argument("topics", nargs="+")
    parser.add_argument("--images", required=True, help="which of the topics has the images")
    parser.add_argument("--log", type=Path, required=True, help="takes the times of the images")
    parser.add_argument("--wait", type=float, default=60.0, help="for listeners, seconds")
    return run("bag_replay", parser, play, argv)


if __name__ == "__main__":
    sys.exit(main())
