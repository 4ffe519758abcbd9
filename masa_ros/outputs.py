"""The topics on which one camera's tracks are published."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from masa_core.io.class_names import ClassNames
from masa_core.overlay import draw_tracks
from masa_core.structures import Tracks
from masa_ros.conversions import label_image, track_array, vision_detections
from masa_ros.image_messages import image_message
from masa_ros.msg import TrackArray

HAS_VISION_MSGS = find_spec("vision_msgs") is not None
_DEPTH = 10


class Outputs:
    """Publishers below `prefix`, which are silent until the node is activated.

    All but the tracks are made only while someone subscribes.
    """

    def __init__(self, node: LifecycleNode, prefix: str) -> None:
        self._node = node
        self._publishers: dict[str, Any] = {}
        kinds = {"tracks": TrackArray, "label_image": Image, "overlay": Image}
        if HAS_VISION_MSGS:
            from vision_msgs.msg import Detection2DArray

            kinds["detections"] = Detection2DArray
        for name, kind in kinds.items():
            publisher = node.create_lifecycle_publisher(kind, f"{prefix}/{name}", _DEPTH)
            self._publishers[name] = publisher

    def destroy(self) -> None:
        for publisher in self._publishers.values():
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers.clear()

    def subscribers(self) -> dict[str, int]:
        """Their number, by topic."""
        return {name: p.get_subscription_count() for name, p in self._publishers.items()}

    def publish(
        self,
        image: NDArray[np.uint8],
        tracks: Tracks,
        header: Header,
        epoch: int,
        model: str,
        names: ClassNames,
        with_embeddings: bool,
    ) -> None:
        """header: that of the source image."""
        message = track_array(tracks, header, epoch, model, names, with_embeddings)
        self._publishers["tracks"].publish(message)
        if self._wanted("detections"):
            self._publishers["detections"].publish(vision_detections(tracks, header, names))
        if self._wanted("label_image"):
            labels = label_image(tracks, *image.shape[:2])
            self._publishers["label_image"].publish(image_message(labels, "16UC1", header))
        if self._wanted("overlay"):
            picture = draw_tracks(image, tracks, names.words)
            self._publishers["overlay"].publish(image_message(picture, "bgr8", header))

    def _wanted(self, name: str) -> bool:
        publisher = self._publishers.get(name)
        return publisher is not None and publisher.get_subscription_count() > 0
