"""The topics that one camera reads: images, and detections where a topic brings them."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from rclpy.qos import HistoryPolicy, QoSProfile, ReliabilityPolicy
from sensor_msgs.msg import CompressedImage, Image

from masa_core.io.detection_messages import Row, masa_rows, vision_rows
from masa_core.io.image_decoding import decode_compressed, decode_image
from masa_core.io.message_stamps import header_stamp_ns
from masa_ros.intake import Intake
from masa_ros.outputs import HAS_VISION_MSGS
from masa_ros.parameters import Settings
from masa_ros.sequence_gaps import SequenceGaps
from masa_ros.silence import Publisher, SilenceWatch, explain_silence
from masa_ros.statistics import Statistics

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ModuleNotFoundError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

_DETECTIONS_DEPTH = 10
_IMAGE_TYPES = ("sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage")


class Inputs:
    """Subscriptions whose callbacks only hand the message to the intake.

    decode: the function that makes a BGR picture of an image message. read: the one that reads a
    detections message, None where the model finds the boxes.

    Raises ValueError where vision_msgs is asked for and not installed.
    """

    def __init__(self, node: LifecycleNode, prefix: str, settings: Settings) -> None:
        self._node = node
        self._settings = settings
        self._prefix = prefix
        compressed = settings.image_transport == "compressed"
        self.decode: Callable[[Any], NDArray[np.uint8]] = (
            decode_compressed if compressed else decode_image
        )
        self.read: Callable[[Any], list[Row]] | None = None
        self._images: Any = None
        self._detections: Any = None
        self._image_type: Any = CompressedImage if compressed else Image
        self.image_topic = _image_topic(node, prefix + "image", compressed)
        if settings.detector == "topic":
            self._detections_type, self.read = _detections_type(settings.detections_type)

    def start(self, intake: Intake, statistics: Statistics) -> None:
        settings = self._settings
        self._images = _subscribe(
            self._node,
            self._image_type,
            self.image_topic,
            intake.add_image,
            _qos(settings.image_reliability, settings.image_depth),
            statistics.undelivered,
        )
        if self.read is not None:
            self._detections = _subscribe(
                self._node,
                self._detections_type,
                self._prefix + "detections",
                intake.add_detections,
                _qos(settings.detections_reliability, _DETECTIONS_DEPTH),
                lambda count: statistics.ignored({"detections: lost by the middleware": count}),
            )

    def stop(self) -> None:
        for subscription in (self._images, self._detections):
            if subscription is not None:
                self._node.destroy_subscription(subscription)
        self._images = self._detections = None

    def tell_silence(self, intake: Intake) -> None:
        """Warns, once for each silence, of a topic on which nothing comes."""
        self._tell(self._images, intake.images, "image_reliability", _IMAGE_TYPES)
        if self._detections is not None:
            kinds = ("vision_msgs/msg/Detection2DArray", "masa_ros/msg/DetectionArray")
            self._tell(self._detections, intake.detections, "detections_reliability", kinds)

    def _tell(
        self, subscription: Any, watch: SilenceWatch, parameter: str, kinds: tuple[str, ...]
    ) -> None:
        if not watch.due():
            return
        topic = subscription.topic_name
        publishers = [
            Publisher(
                f"{info.node_namespace.rstrip('/')}/{info.node_name}",
                info.topic_type,
                info.qos_profile.reliability == ReliabilityPolicy.BEST_EFFORT,
            )
            for info in self._node.get_publishers_info_by_topic(topic)
        ]
        others = [
            (name, types[0])
            for name, types in self._node.get_topic_names_and_types()
            if types[0] in kinds and self._published_by_others(name)
        ]
        kind = _type_name(subscription.msg_type)
        reliable = getattr(self._settings, parameter) == "reliable"
        text = explain_silence(topic, kind, reliable, parameter, publishers, others)
        self._node.get_logger().warning(text)

    def _published_by_others(self, topic: str) -> bool:
        own = (self._node.get_name(), self._node.get_namespace())
        found = self._node.get_publishers_info_by_topic(topic)
        return any((info.node_name, info.node_namespace) != own for info in found)


def _qos(reliability: str, depth: int) -> QoSProfile:
    policy = ReliabilityPolicy.RELIABLE
    if reliability == "best_effort":
        policy = ReliabilityPolicy.BEST_EFFORT
    return QoSProfile(reliability=policy, history=HistoryPolicy.KEEP_LAST, depth=depth)


def _subscribe(
    node: LifecycleNode,
    kind: Any,
    topic: str,
    add: Callable[[int, Any], None],
    qos: QoSProfile,
    lost: Callable[[int], None],
) -> Any:
    """A subscription that hands on each message with its stamp, and tells how many did not come."""
    gaps = SequenceGaps(lost)

    def on_message(message: Any, info: Any) -> None:
        gaps.on_message(info)
        add(header_stamp_ns(message), message)

    events = SubscriptionEventCallbacks(message_lost=gaps.on_event)
    try:
        return node.create_subscription(kind, topic, on_message, qos, event_callbacks=events)
    except UnsupportedEventTypeError:
        return node.create_subscription(kind, topic, on_message, qos)


def _image_topic(node: LifecycleNode, name: str, compressed: bool) -> str:
    """The full name of an image topic, remapped.

    A compressed one follows the raw one, as in image_transport: who remaps image to
    /cam/image_raw gets /cam/image_raw/compressed, unless image/compressed is remapped itself.
    """
    if not compressed:
        return str(node.resolve_topic_name(name))
    own = node.resolve_topic_name(name + "/compressed")
    if own != node.resolve_topic_name(name + "/compressed", only_expand=True):
        return str(own)
    return f"{node.resolve_topic_name(name)}/compressed"


def _detections_type(choice: str) -> tuple[Any, Callable[[Any], list[Row]]]:
    """The message class and what reads it."""
    if choice == "vision_msgs" and not HAS_VISION_MSGS:
        raise ValueError(
            "parameter detections_type is vision_msgs, which is not installed: install it, or"
            " publish masa_ros/DetectionArray"
        )
    if choice == "masa_ros" or not HAS_VISION_MSGS:
        return import_module("masa_ros.msg").DetectionArray, masa_rows
    return import_module("vision_msgs.msg").Detection2DArray, vision_rows


def _type_name(message_class: Any) -> str:
    package, kind = message_class.__module__.split(".")[0], message_class.__name__
    return f"{package}/msg/{kind}"
