"""The topics on which one camera's tracks are published."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image
from std_msgs.msg import Header

from masa_core.overlay import draw_tracks
from masa_core.structures import Tracks
from masa_ros.class_names import ClassNames
from masa_ros.conversions import label_image, track_array, vision_detections
from masa_ros.image_messages import image_message
from masa_ros.msg import TrackArray

HAS_VISION_MSGS = find_spec("vision_msgs") is not None
_DEPTH = 10


class Outputs:
    """Publishers below `prefix`, which are silent until the node is activated.

    The picture for people and the label image are made only while someone subscribes.
    """

    def __init__(self, node: LifecycleNode, prefix: str) -> None:
        def publisher(kind: Any, name: str) -> Any:
            return node.create_lifecycle_publisher(kind, f"{prefix}/{name}", _DEPTH)

        self._node = node
        self._tracks = publisher(TrackArray, "tracks")
        self._labels = publisher(Image, "label_image")
        self._overlay = publisher(Image, "overlay")
        self._publishers = [self._tracks, self._labels, self._overlay]
        if HAS_VISION_MSGS:
            from vision_msgs.msg import Detection2DArray

            self._detections = publisher(Detection2DArray, "detections")
            self._publishers.append(self._detections)

    def destroy(self) -> None:
        for publisher in self._publishers:
            self._node.destroy_lifecycle_publisher(publisher)
        self._publishers.clear()

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
        self._tracks.publish(message)
        if HAS_VISION_MSGS and self._detections.get_subscription_count():
            self._detections.publish(vision_detections(tracks, header, names))
        if self._labels.get_subscription_count():
            labels = label_image(tracks, *image.shape[:2])
            self._labels.publish(image_message(labels, "16UC1", header))
        if self._overlay.get_subscription_count():
            picture = draw_tracks(image, tracks, names.words)
            self._overlay.publish(image_message(picture, "bgr8", header))
