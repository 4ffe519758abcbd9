"""What the programs have in common that publish from a rosbag2."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any

import rclpy
from rclpy.duration import Duration
from rclpy.node import Node
from rclpy.qos import QoSProfile, ReliabilityPolicy

from masa_core.io.bag import BagReader
from masa_core.io.source import SourceError

_DEPTH = 10
_ACKNOWLEDGE_S = 10.0


def message_class(name: str) -> Any:
    """The rclpy class of "package/msg/Name"."""
    package, _, kind = name.split("/")
    return getattr(importlib.import_module(f"{package}.msg"), kind)


class BagPublishers:
    """Publishers for topics of a bag, of the types that it names; nothing is lost on the way.

    Raises SourceError for a topic that the bag does not have.
    """

    def __init__(self, node: Node, reader: BagReader, topics: Sequence[str]) -> None:
        qos = QoSProfile(depth=_DEPTH, reliability=ReliabilityPolicy.RELIABLE)
        self._publishers: dict[str, Any] = {}
        for topic in topics:
            if topic not in reader.topics:
                raise SourceError(
                    f"{reader.path} has no topic {topic}: it has {', '.join(reader.topics)}"
                )
            kind = message_class(reader.topics[topic])
            self._publishers[topic] = node.create_publisher(kind, topic, qos)

    def wait_for_listeners(self, seconds: float) -> None:
        """Raises TimeoutError when nobody subscribes to one of the topics in time."""
        deadline = time.monotonic() + seconds
        for publisher in self._publishers.values():
            while publisher.get_subscription_count() == 0:
                if time.monotonic() > deadline:
                    name = publisher.topic_name
                    raise TimeoutError(f"nobody subscribed to {name} in {seconds:g} s")
                time.sleep(0.02)

    def publish(self, topic: str, raw: bytes) -> None:
        self._publishers[topic].publish(raw)

    def wait_for_arrival(self) -> None:
        """Until the listeners have what was published; for some seconds at most."""
        for publisher in self._publishers.values():
            publisher.wait_for_all_acked(Duration(seconds=_ACKNOWLEDGE_S))


def run(
    name: str,
    parser: argparse.ArgumentParser,
    play: Callable[[Node, BagReader, argparse.Namespace], dict[str, Any]],
    argv: list[str] | None,
) -> int:
    """Plays, with a node of this name, the bag that is `parser`'s argument `bag`.

    Prints what `play` returns as one line of JSON. Returns the exit code: 1, with the reason in one
    line, where there is nothing to play, nothing to play it with, or nobody to play it to.
    """
    argv = sys.argv if argv is None else [name, *argv]
    args = parser.parse_args(rclpy.utilities.remove_ros_args(argv)[1:])
    rclpy.init(args=argv)
    node = rclpy.create_node(name)
    try:
        with BagReader(args.bag) as reader:
            print(json.dumps(play(node, reader, args)), flush=True)
    except (ImportError, OSError, SourceError, TimeoutError) as error:
        print(f"{name}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    finally:
        node.destroy_node()
        rclpy.try_shutdown()
    return 0
