"""The shipped clip as what a camera driver would have recorded: a bag of JPEG images.

JPEG, because a played frame costs the two processes as much CPU as a raw one (decoding takes what
copying 1.5 MB through the middleware does), and the bag has 19 MB instead of 330.
"""

from __future__ import annotations

import os
import shutil
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import cv2
from rosbags.rosbag2 import StoragePlugin, Writer

from masa_core.assets import asset_path
from masa_core.io.bag import bag_typestore
from masa_core.io.video import VideoSource

CLIP = "drive/solidWhiteRight.mp4"
TOPIC = "/image/compressed"
_TYPE = "sensor_msgs/msg/CompressedImage"
_QUALITY = 95
_START_NS = 1_700_000_000_000_000_000  # any time that is not 0, which means "not stamped"


class Drive(NamedTuple):
    bag: Path
    frames: int
    fps: float


def write_drive(folder: Path, frames: int | None = None) -> Drive:
    """Writes the bag `folder`/drive from the clip, or its first `frames`; replaces an older one."""
    bag = folder / "drive"
    part = folder / f".drive.part-{os.getpid()}"
    typestore = bag_typestore()
    image_type = typestore.types[_TYPE]
    header_type = typestore.types["std_msgs/msg/Header"]
    time_type = typestore.types["builtin_interfaces/msg/Time"]
    try:
        # rosbags names the file after its folder, hence the folder in a folder
        with (
            VideoSource(asset_path(CLIP)) as clip,
            Writer(part / bag.name, version=8, storage_plugin=StoragePlugin.MCAP) as writer,
        ):
            connection = writer.add_connection(TOPIC, _TYPE, typestore=typestore)
            count = 0
            for frame in islice(clip, frames):
                stamp_ns = _START_NS + frame.stamp_ns
                header = header_type(time_type(*divmod(stamp_ns, 1_000_000_000)), "camera")
                jpeg = cv2.imencode(".jpg", frame.image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
                message = image_type(header, "jpeg", jpeg.reshape(-1))
                writer.write(connection, stamp_ns, typestore.serialize_cdr(message, _TYPE))
                count += 1
        shutil.rmtree(bag, ignore_errors=True)
        os.replace(part / bag.name, bag)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return Drive(bag, count, clip.fps)
