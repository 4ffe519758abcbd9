"""A model that tracks coloured squares, and sources that show some. No weights needed."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rosbags.rosbag2 import StoragePlugin, Writer

from masa_core.io.bag import bag_typestore
from masa_core.masks import encode_mask
from masa_core.structures import Detections, Mask

COLOURS = {"car": (0, 0, 255), "person": (0, 255, 0), "dog": (255, 0, 0)}  # BGR
WIDTH, HEIGHT, SIDE = 96, 64, 12


def picture(index: int) -> np.ndarray:
    """Frame `index`: three squares, one below the other, each of a class's colour, moving right."""
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for row, colour in enumerate(COLOURS.values()):
        x, y = 2 + (index * (row + 1)) % (WIDTH - SIDE - 2), 4 + 20 * row
        image[y : y + SIDE, x : x + SIDE] = colour
    return image


class ColourModel:
    """Finds each colour of COLOURS in a frame; the embedding of a box is the colour in it."""

    name = "colours"
    classes = tuple(COLOURS)
    has_detector = True

    def __init__(self, has_masks: bool = False, seconds_per_frame: float = 0) -> None:
        self.has_masks = has_masks
        self._seconds_per_frame = seconds_per_frame

    def encode(self, frame_bgr: np.ndarray) -> Any:
        time.sleep(self._seconds_per_frame)
        distances = [np.abs(frame_bgr.astype(int) - c).max(axis=2) for c in COLOURS.values()]
        return [distance < 100 for distance in distances]

    def detect(self, features: Any) -> Detections:
        rows = [
            (*cv2.boundingRect(pixels.astype(np.uint8)), label)
            for label, pixels in enumerate(features)
            if pixels.any()
        ]
        boxes = [(x, y, x + width, y + height) for x, y, width, height, _ in rows]
        return Detections(np.array(boxes, float), np.full(len(rows), 0.9), [row[4] for row in rows])

    def embed(self, features: Any, boxes: np.ndarray) -> np.ndarray:
        shares = [
            [pixels[int(y1) : int(y2), int(x1) : int(x2)].mean() for pixels in features]
            for x1, y1, x2, y2 in boxes
        ]
        return 10 * np.array(shares, np.float32).reshape(len(boxes), len(COLOURS))

    def masks(self, features: Any, boxes: np.ndarray) -> list[Mask]:
        return [encode_mask(np.any(features, axis=0) & _inside(box)) for box in boxes]


def _inside(box: np.ndarray) -> np.ndarray:
    x1, y1, x2, y2 = box.astype(int)
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[y1:y2, x1:x2] = True
    return inside


def write_video(path: Path, frames: int, fps: float = 20) -> Path:
    plain = path.with_name("plain.avi")  # OpenCV's own writer does not take every name
    codec = cv2.VideoWriter.fourcc(*"MJPG")
    video = cv2.VideoWriter(str(plain), cv2.CAP_FFMPEG, codec, fps, (WIDTH, HEIGHT))
    for index in range(frames):
        video.write(picture(index))
    video.release()
    return plain.rename(path)


def write_folder(path: Path, frames: int) -> Path:
    path.mkdir()
    for index in range(frames):
        (path / f"frame{index}.png").write_bytes(png(picture(index)))
    return path


def png(image: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", image)[1])


class BagMaker:
    """Writes bags for tests: `with BagMaker(path) as bag: bag.image("/camera", stamp_ns, ...)`."""

    def __init__(self, path: Path, storage: StoragePlugin = StoragePlugin.MCAP) -> None:
        self.store = bag_typestore()
        self._writer = Writer(path, version=8, storage_plugin=storage)
        self._connections: dict[str, Any] = {}

    def __enter__(self) -> BagMaker:
        self._writer.open()
        return self

    def __exit__(self, *error: Any) -> None:
        self._writer.close()

    def header(self, stamp_ns: int, frame_id: str = "front") -> Any:
        stamp = self.store.types["builtin_interfaces/msg/Time"](*divmod(stamp_ns, 1_000_000_000))
        return self.store.types["std_msgs/msg/Header"](stamp=stamp, frame_id=frame_id)

    def image(
        self,
        topic: str,
        stamp_ns: int,
        image: np.ndarray,
        encoding: str = "bgr8",
        received_ns: int | None = None,
    ) -> None:
        message = self.store.types["sensor_msgs/msg/Image"](
            header=self.header(stamp_ns),
            height=image.shape[0],
            width=image.shape[1],
            encoding=encoding,
            is_bigendian=0,
            step=image.strides[0],
            data=np.ascontiguousarray(image).view(np.uint8).ravel(),
        )
        self.write(topic, message, stamp_ns if received_ns is None else received_ns)

    def compressed(self, topic: str, stamp_ns: int, data: bytes) -> None:
        message = self.store.types["sensor_msgs/msg/CompressedImage"](
            header=self.header(stamp_ns), format="png", data=np.frombuffer(data, np.uint8)
        )
        self.write(topic, message, stamp_ns)

    def write(self, topic: str, message: Any, received_ns: int, store: Any = None) -> None:
        store, kind = store or self.store, message.__msgtype__
        self.raw(topic, kind, store.serialize_cdr(message, kind), received_ns, store)

    def raw(self, topic: str, kind: str, data: Any, received_ns: int, store: Any = None) -> None:
        if topic not in self._connections:
            store = store or self.store
            self._connections[topic] = self._writer.add_connection(topic, kind, typestore=store)
        self._writer.write(self._connections[topic], received_ns, data)


START_NS = 1_600_000_000_000_000_000
PERIOD_NS = 50_000_000


def write_bag(path: Path, frames: int, storage: StoragePlugin = StoragePlugin.MCAP) -> Path:
    """A bag with `frames` images on /camera, 20 a second from START_NS on, recorded 1 ms later."""
    with BagMaker(path, storage) as bag:
        for index in range(frames):
            stamp_ns = START_NS + index * PERIOD_NS
            bag.image("/camera", stamp_ns, picture(index), received_ns=stamp_ns + 1_000_000)
    return path
