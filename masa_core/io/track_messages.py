"""Tracks as masa_ros/TrackArray messages of `rosbags`, and back from any TrackArray."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from masa_core.io.class_names import ClassNames
from masa_core.io.message_stamps import time_ns
from masa_core.structures import Mask, Tracks

TRACK_ARRAY = "masa_ros/msg/TrackArray"


class TrackMessages:
    """Makes TrackArray messages. types: message classes by name, as in a rosbags typestore.

    names: of the labels. model: name of the model that made the embeddings.
    """

    def __init__(self, types: Mapping[str, Any], names: ClassNames, model: str) -> None:
        self._time = types["builtin_interfaces/msg/Time"]
        self._header = types["std_msgs/msg/Header"]
        self._mask = types["masa_ros/msg/Mask"]
        self._track = types["masa_ros/msg/Track"]
        self._track_array = types[TRACK_ARRAY]
        self._names = names
        self._model = model

    def message(self, tracks: Tracks, stamp_ns: int, frame_id: str, epoch: int = 0) -> Any:
        """The tracks of the image with that stamp. What a tracker did not add is 0."""
        header = self._header(stamp=self._stamp(stamp_ns), frame_id=frame_id)
        rows = [self._row(tracks, row, stamp_ns) for row in range(len(tracks))]
        return self._track_array(header=header, epoch=epoch, model=self._model, tracks=rows)

    def _row(self, tracks: Tracks, row: int, stamp_ns: int) -> Any:
        class_id, label = self._names.name(int(tracks.labels[row]))
        x_min, y_min, x_max, y_max = tracks.boxes[row].tolist()
        velocity = (0.0, 0.0) if tracks.velocities is None else tracks.velocities[row].tolist()
        first_ns = stamp_ns if tracks.first_seen_ns is None else int(tracks.first_seen_ns[row])
        last_ns = stamp_ns if tracks.last_seen_ns is None else int(tracks.last_seen_ns[row])
        return self._track(
            id=int(tracks.ids[row]),
            class_id=class_id,
            label=label,
            score=float(tracks.scores[row]),
            x_min=x_min,
            y_min=y_min,
            x_max=x_max,
            y_max=y_max,
            mask=self._mask_message(None if tracks.masks is None else tracks.masks[row]),
            state=int(tracks.states[row]),
            age=0 if tracks.ages is None else int(tracks.ages[row]),
            first_seen=self._stamp(first_ns),
            last_seen=self._stamp(last_ns),
            velocity_x=velocity[0],
            velocity_y=velocity[1],
            embedding=np.zeros(0, np.float32),
        )

    def _mask_message(self, mask: Mask | None) -> Any:
        mask = mask or Mask(0, 0, 0, 0, b"")
        return self._mask(
            x=mask.x,
            y=mask.y,
            width=mask.width,
            height=mask.height,
            runs=np.frombuffer(mask.runs, np.uint8),
        )

    def _stamp(self, stamp_ns: int) -> Any:
        seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
        return self._time(sec=seconds, nanosec=nanoseconds)


def tracks_of(message: Any) -> Tracks:
    """The tracks in a TrackArray of rosbags or rclpy. masks is None where no track has one."""
    rows = list(message.tracks)
    masks = [
        Mask(m.x, m.y, m.width, m.height, np.asarray(m.runs, np.uint8).tobytes())
        for m in (row.mask for row in rows)
    ]
    velocities = [(row.velocity_x, row.velocity_y) for row in rows]
    return Tracks(
        ids=np.array([row.id for row in rows], np.int64),
        boxes=np.array([(row.x_min, row.y_min, row.x_max, row.y_max) for row in rows], np.float32),
        scores=np.array([row.score for row in rows], np.float32),
        labels=np.array([row.label for row in rows], np.int64),
        states=np.array([row.state for row in rows], np.uint8),
        masks=masks if any(mask.width for mask in masks) else None,
        ages=np.array([row.age for row in rows], np.int64),
        first_seen_ns=np.array([time_ns(row.first_seen) for row in rows], np.int64),
        last_seen_ns=np.array([time_ns(row.last_seen) for row in rows], np.int64),
        velocities=np.array(velocities, np.float32).reshape(-1, 2),
    )
