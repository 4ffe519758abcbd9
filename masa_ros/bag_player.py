"""Plays one topic of a rosbag2 at its real rate: `python -m masa_ros.bag_player BAG TOPIC`.

The messages are published as they were stored, but for their stamps: these are moved to now, all
by the same amount, so that a tracker sees exactly the recorded spacing and the time from stamp to
result is a latency. Nothing is played before somebody listens.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

from rclpy.node import Node

from masa_core.io.bag import BagReader
from masa_ros.bag_publishing import BagPublishers, run
from masa_ros.cdr import read_stamp, write_stamp

_LEAD_NS = 100_000_000  # between the match of a listener and the first message


def play(node: Node, reader: BagReader, args: argparse.Namespace) -> dict[str, int]:
    """Publishes the topic, at the stamps' own rate, once there is a subscription.

    Returns how many were `sent`, the `offset_ns` added to the recorded stamps, and `late_ns`, the
    most that a message was behind its stamp.
    Raises TimeoutError when nobody subscribes in time, SourceError where the bag is at fault.
    """
    publishers = BagPublishers(node, reader, [args.topic])
    publishers.wait_for_listeners(args.wait)
    sent, offset_ns, late_ns = 0, 0, 0
    for message in reader.messages(args.topic):
        raw = bytes(message.raw)
        stamp_ns = read_stamp(raw)
        if sent == 0:
            offset_ns = time.time_ns() + _LEAD_NS - stamp_ns
        wait_ns = stamp_ns + offset_ns - time.time_ns()
        late_ns = max(late_ns, -wait_ns)
        time.sleep(max(wait_ns, 0) / 1e9)
        publishers.publish(args.topic, write_stamp(raw, stamp_ns + offset_ns))
        sent += 1
    publishers.wait_for_arrival()
    return {"sent": sent, "offset_ns": offset_ns, "late_ns": late_ns}


def main(argv: list[str] | None = None) -> int:
    """Prints what `play` returns as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bag", type=Path)
    parser.add_argument("topic", help="remap it with --ros-args -r FROM:=TO")
    parser.add_argument("--wait", type=float, default=60.0, help="for a listener, seconds")
    return run("bag_player", parser, play, argv)


if __name__ == "__main__":
    sys.exit(main())
