"""Plays one topic of a rosbag2 at its real rate: `python -m masa_ros.bag_player BAG TOPIC`.

The messages are published as they were stored, but for their stamps: these are moved to now, all
by the same amount, so that a tracker sees exactly the recorded spacing and the time from stamp to
result is a latency. Nothing is played before somebody listens.
"""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import rclpy
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from masa_core.io.bag import BagReader
from masa_core.io.source import SourceError
from masa_ros.cdr import read_stamp, write_stamp

_LEAD_NS = 100_000_000  # between the match of a listener and the first message
_DEPTH = 10
_ACKNOWLEDGE_S = 10.0


def message_class(name: str) -> Any:
    """The rclpy class of "package/msg/Name"."""
    package, _, kind = name.split("/")
    return getattr(importlib.import_module(f"{package}.msg"), kind)


def play(node: Node, reader: BagReader, topic: str, wait_s: float) -> dict[str, int]:
    """Publishes the topic, at the stamps' own rate, once there is a subscription.

    Returns how many were `sent`, the `offset_ns` added to the recorded stamps, and `late_ns`, the
    most that a message was behind its stamp.
    Raises TimeoutError when nobody subscribes within `wait_s`.
    """
    qos = QoSProfile(depth=_DEPTH, reliability=ReliabilityPolicy.RELIABLE)
    publisher = node.create_publisher(message_class(reader.topics[topic]), topic, qos)
    deadline = time.monotonic() + wait_s
    while publisher.get_subscription_count() == 0:
        if time.monotonic() > deadline:
            raise TimeoutError(f"nobody subscribed to {publisher.topic_name} in {wait_s:g} s")
        time.sleep(0.02)
    sent, offset_ns, late_ns = 0, 0, 0
    for raw in _raw(reader, topic):
        stamp_ns = read_stamp(raw)
        if sent == 0:
            offset_ns = time.time_ns() + _LEAD_NS - stamp_ns
        wait_ns = stamp_ns + offset_ns - time.time_ns()
        late_ns = max(late_ns, -wait_ns)
        time.sleep(max(wait_ns, 0) / 1e9)
        publisher.publish(write_stamp(raw, stamp_ns + offset_ns))
        sent += 1
    publisher.wait_for_all_acked(Duration(seconds=_ACKNOWLEDGE_S))
    return {"sent": sent, "offset_ns": offset_ns, "late_ns": late_ns}


def _raw(reader: BagReader, topic: str) -> Iterator[bytes]:
    return (bytes(message.raw) for message in reader.messages(topic))


def main(argv: list[str] | None = None) -> int:
    """Prints what `play` returns as one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bag", type=Path)
    parser.add_argument("topic", help="remap it with --ros-args -r FROM:=TO")
    parser.add_argument("--wait", type=float, default=60.0, help="for a listener, seconds")
    argv = sys.argv if argv is None else ["bag_player", *argv]
    args = parser.parse_args(rclpy.utilities.remove_ros_args(argv)[1:])
    rclpy.init(args=argv)
    node = rclpy.create_node("bag_player")
    try:
        with BagReader(args.bag) as reader:
            if args.topic not in reader.topics:
                raise SourceError(
                    f"{args.bag} has no topic {args.topic}: it has {', '.join(reader.topics)}"
                )
            print(json.dumps(play(node, reader, args.topic, args.wait)), flush=True)
    except (SourceError, TimeoutError) as error:
        print(f"bag_player: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
