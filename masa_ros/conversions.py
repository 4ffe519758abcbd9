"""Tracks as messages.

Filling a message is fast as long as nothing is done for each byte or pixel in Python: columns
become lists in one call, mask runs become an array.array, which rclpy copies as a block.
"""

from __future__ import annotations

from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import Header

from masa_core.io.class_names import ClassNames
from masa_core.masks import part_in_frame
from masa_core.structures import Mask, Tracks
from masa_ros.msg import Mask as MaskMessage
from masa_ros.msg import Track, TrackArray


def track_array(
    tracks: Tracks,
    header: Header,
    epoch: int,
    model: str,
    names: ClassNames,
    with_embeddings: bool = False,
) -> TrackArray:
    """The message of one image's tracks. What the tracker does not know stays 0."""
    message = TrackArray(header=header, epoch=epoch, model=model)
    message.tracks = [Track() for _ in range(len(tracks))]
    for track, id_, box, score, label, state in zip(
        message.tracks,
        tracks.ids.tolist(),
        tracks.boxes.tolist(),
        tracks.scores.tolist(),
        tracks.labels.tolist(),
        tracks.states.tolist(),
        strict=True,
    ):
        track.id, track.score, track.state = id_, score, state
        track.x_min, track.y_min, track.x_max, track.y_max = box
        track.class_id, track.label = names.name(label)
    _fill_history(message.tracks, tracks)
    if tracks.masks is not None:
        for track, mask in zip(message.tracks, tracks.masks, strict=True):
            _fill_mask(track.mask, mask)
    if with_embeddings and tracks.embeddings is not None:
        for track, embedding in zip(message.tracks, tracks.embeddings, strict=True):
            track.embedding = array("f", embedding.astype(np.float32).tobytes())
    return message


def _fill_history(messages: list[Track], tracks: Tracks) -> None:
    if tracks.ages is not None:
        for track, age in zip(messages, tracks.ages.tolist(), strict=True):
            track.age = age
    if tracks.velocities is not None:
        for track, velocity in zip(messages, tracks.velocities.tolist(), strict=True):
            track.velocity_x, track.velocity_y = velocity
    if tracks.first_seen_ns is not None:
        for track, stamp_ns in zip(messages, tracks.first_seen_ns.tolist(), strict=True):
            _fill_time(track.first_seen, stamp_ns)
    if tracks.last_seen_ns is not None:
        for track, stamp_ns in zip(messages, tracks.last_seen_ns.tolist(), strict=True):
            _fill_time(track.last_seen, stamp_ns)


def _fill_time(message: Any, stamp_ns: int) -> None:
    message.sec, message.nanosec = divmod(stamp_ns, 1_000_000_000)


def _fill_mask(message: MaskMessage, mask: Mask) -> None:
    # A NumPy integer here would end the process: rclpy's C code asserts what it gets.
    message.x, message.y = int(mask.x), int(mask.y)
    message.width, message.height = int(mask.width), int(mask.height)
    message.runs = array("B", mask.runs)


def vision_detections(tracks: Tracks, header: Header, names: ClassNames) -> Any:
    """The same tracks as vision_msgs/Detection2DArray; `id` is the track's id.

    Raises ModuleNotFoundError where vision_msgs is not installed.
    """
    from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose

    message = Detection2DArray(header=header)
    for id_, (x1, y1, x2, y2), score, label in zip(
        tracks.ids.tolist(),
        tracks.boxes.tolist(),
        tracks.scores.tolist(),
        tracks.labels.tolist(),
        strict=True,
    ):
        detection = Detection2D(header=header, id=str(id_))
        centre = detection.bbox.center.position
        centre.x, centre.y = (x1 + x2) / 2, (y1 + y2) / 2
        detection.bbox.size_x, detection.bbox.size_y = x2 - x1, y2 - y1
        result = ObjectHypothesisWithPose()
        class_id, number = names.name(label)
        result.hypothesis.class_id = class_id or (str(number) if number >= 0 else "")
        result.hypothesis.score = score
        detection.results = [result]
        message.detections.append(detection)
    return message


def label_image(tracks: Tracks, height: int, width: int) -> NDArray[np.uint16]:
    """(height, width) uint16: 0, or the index of the track whose mask covers the pixel, plus 1.

    Where masks overlap, the track that comes first, which is the one with the better score, is
    seen. Tracks without a mask are not seen.
    """
    labels = np.zeros((height, width), np.uint16)
    for index, mask in reversed(list(enumerate(tracks.masks or ()))):
        where, pixels = part_in_frame(mask, height, width)
        labels[where][pixels] = index + 1
    return labels
