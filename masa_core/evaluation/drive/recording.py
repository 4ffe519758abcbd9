"""A drive on disk: a rosbag2 (mcap) with truth.json and drive.yaml in its folder."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import yaml
from numpy.typing import NDArray
from rosbags.rosbag2 import StoragePlugin, Writer

from masa_core.evaluation.drive.labels import CATEGORIES, Label
from masa_core.io.bag import bag_typestore
from masa_core.io.coco_rle import to_coco_rle
from masa_core.structures import Detections, Mask

IMAGE_TOPIC, DETECTIONS_TOPIC = "/camera/image_raw", "/detections"
_FRAME_ID = "camera"
_JPEG_QUALITY = 88
_TAKEN_NS, _DETECTED = 4_000_000, 0.6  # recorded so long after the stamp: ns, share of a period


class Recording:
    """Writes frames as they come. The folder appears, whole, with `close`; or not at all.

    period_ns: time between two frames. raw: images as pixels in place of JPEG.
    Raises FileExistsError where there is something at `path`, OSError where nothing can be written.
    """

    def __init__(self, path: Path, period_ns: float, raw: bool) -> None:
        if path.exists():
            raise FileExistsError(f"{path} exists; a drive is not written over")
        self.path = path
        self._period_ns = period_ns
        self._raw = raw
        # rosbags names the file inside after the folder: it must have its name from the start.
        self._part = path.with_name(f".{path.name}.part-{os.getpid()}")
        self._folder = self._part / path.name
        self._store = bag_typestore()
        self._writer = Writer(
            self._folder,
            version=8,  # the newest that Humble reads
            storage_plugin=StoragePlugin.MCAP,
        )
        self._writer.open()
        image = ("Image", IMAGE_TOPIC) if raw else ("CompressedImage", f"{IMAGE_TOPIC}/compressed")
        self._image_type = f"sensor_msgs/msg/{image[0]}"
        self._images = self._connection(image[1], self._image_type)
        self._detections_type = "masa_ros/msg/DetectionArray"
        self._detections = self._connection(DETECTIONS_TOPIC, self._detections_type)
        self._truth = (self._folder / "truth.json").open("w", encoding="utf-8")
        self._separator = '{"frames": [\n'

    def image(self, picture: NDArray[np.uint8], stamp_ns: int) -> None:
        if self._raw:
            height, width = picture.shape[:2]
            fields: dict[str, Any] = {
                "height": height,
                "width": width,
                "encoding": "bgr8",
                "is_bigendian": 0,
                "step": 3 * width,
                "data": picture.ravel(),
            }
        else:
            _, data = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, _JPEG_QUALITY])
            fields = {"format": "jpeg", "data": data.ravel()}
        message = self._new(self._image_type, header=self._header(stamp_ns), **fields)
        self._write(self._images, message, stamp_ns + _TAKEN_NS)

    def detections(self, found: Detections, stamp_ns: int) -> None:
        masks = found.masks or [Mask(0, 0, 0, 0, b"")] * len(found)
        rows = zip(found.boxes.tolist(), found.scores.tolist(), found.labels, masks, strict=True)
        entries = [
            self._new(
                "masa_ros/msg/Detection",
                class_id=CATEGORIES[label],
                label=int(label),
                score=score,
                x_min=x1,
                y_min=y1,
                x_max=x2,
                y_max=y2,
                mask=self._new(
                    "masa_ros/msg/Mask",
                    **{**vars(mask), "runs": np.frombuffer(mask.runs, np.uint8)},
                ),
            )
            for (x1, y1, x2, y2), score, label, mask in rows
        ]
        header = self._header(stamp_ns)
        message = self._new(self._detections_type, header=header, detections=entries)
        self._write(self._detections, message, stamp_ns + round(_DETECTED * self._period_ns))

    def truth(self, labels: list[Label], index: int, stamp_ns: int, size: tuple[int, int]) -> None:
        """Adds a frame to truth.json (Scalabel, as BDD100K's), by the same names and stamps by
        which tracks of the bag are written as Scalabel."""
        width, height = size
        entry = {
            "name": str(stamp_ns),
            "videoName": self.path.name,
            "frameIndex": index,
            "timestamp": stamp_ns // 1_000_000,
            "attributes": {"stamp_ns": str(stamp_ns)},
            "size": {"width": width, "height": height},
            "labels": [_scalabel(label, height, width) for label in labels],
        }
        self._truth.write(self._separator + json.dumps(entry))
        self._separator = ",\n"

    def close(self, about: dict[str, Any]) -> None:
        """Put the folder in its place. about: the content of drive.yaml."""
        config = json.dumps({"categories": [{"name": name} for name in CATEGORIES]})
        self._truth.write(f'\n], "groups": null, "config": {config}}}\n')
        self._truth.close()
        text = yaml.safe_dump(about, sort_keys=False, allow_unicode=True)
        (self._folder / "drive.yaml").write_text(text, encoding="utf-8")
        self._writer.close()
        os.replace(self._folder, self.path)
        self._part.rmdir()

    def discard(self) -> None:
        """Leave no trace."""
        self._truth.close()
        self._writer.close()
        shutil.rmtree(self._part, ignore_errors=True)

    def _connection(self, topic: str, kind: str) -> Any:
        return self._writer.add_connection(topic, kind, typestore=self._store)

    def _new(self, kind: str, **fields: Any) -> Any:
        return self._store.types[kind](**fields)

    def _header(self, stamp_ns: int) -> Any:
        seconds, nanoseconds = divmod(stamp_ns, 1_000_000_000)
        stamp = self._new("builtin_interfaces/msg/Time", sec=seconds, nanosec=nanoseconds)
        return self._new("std_msgs/msg/Header", stamp=stamp, frame_id=_FRAME_ID)

    def _write(self, connection: Any, message: Any, received_ns: int) -> None:
        raw = self._store.serialize_cdr(message, message.__msgtype__)
        self._writer.write(connection, received_ns, raw)


def _scalabel(label: Label, height: int, width: int) -> dict[str, Any]:
    attributes = {"occluded": label.occluded, "truncated": label.truncated, "crowd": False}
    return {
        "id": str(label.id),
        "category": label.category,
        "attributes": attributes,
        "box2d": dict(zip(("x1", "y1", "x2", "y2"), label.box, strict=True)),
        "rle": to_coco_rle(label.mask, height, width),
    }
