"""Pixels of sensor_msgs/Image and sensor_msgs/CompressedImage, without ROS.

Works on anything with the fields of those messages: rclpy's, rosbags' or a test's own.

The raw table is our own because rosbags-image, which has most of these encodings, ignores `step`,
reads nv12 as if it had no chroma rows, and answers bad data with assertions.
"""

from __future__ import annotations

import zlib
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

MAX_PIXELS = 1 << 26  # 67 megapixels, twice an 8K frame; bounds what a small PNG can unpack to


class ImageError(ValueError):
    """An image message that cannot be decoded.

    reason: a short stable key to count by.
    "encoding": not a picture that this module knows. "size": zero, absurd, or impossible with
    this encoding. "step": rows are shorter than the pixels they should hold. "data": not as many
    bytes as the header says. "compressed": not a whole JPEG or PNG.
    """

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class _Layout(NamedTuple):
    """How one encoding lies in memory, and the OpenCV conversion to BGR once it has 8 bits."""

    sample_bytes: int
    samples_per_pixel: int
    to_bgr: int | None = None
    min_side: int = 1
    even: bool = False  # chroma is shared by 2 x 2 pixels and lies below the image


# OpenCV names a Bayer pattern by the pixel at (1, 1), ROS by the one at (0, 0).
_BAYER = {
    "rggb": cv2.COLOR_BayerBG2BGR,
    "bggr": cv2.COLOR_BayerRG2BGR,
    "gbrg": cv2.COLOR_BayerGR2BGR,
    "grbg": cv2.COLOR_BayerGB2BGR,
}
_LAYOUTS = {
    "bgr8": _Layout(1, 3),
    "8UC3": _Layout(1, 3),  # what cv_bridge writes when nobody names an encoding: OpenCV's order
    "rgb8": _Layout(1, 3, cv2.COLOR_RGB2BGR),
    "bgra8": _Layout(1, 4, cv2.COLOR_BGRA2BGR),
    "rgba8": _Layout(1, 4, cv2.COLOR_RGBA2BGR),
    "mono8": _Layout(1, 1, cv2.COLOR_GRAY2BGR),
    "8UC1": _Layout(1, 1, cv2.COLOR_GRAY2BGR),
    "mono16": _Layout(2, 1, cv2.COLOR_GRAY2BGR),
    "yuv422": _Layout(1, 2, cv2.COLOR_YUV2BGR_UYVY),
    "uyvy": _Layout(1, 2, cv2.COLOR_YUV2BGR_UYVY),
    "yuv422_yuy2": _Layout(1, 2, cv2.COLOR_YUV2BGR_YUYV),
    "yuyv": _Layout(1, 2, cv2.COLOR_YUV2BGR_YUYV),
    "nv12": _Layout(1, 1, cv2.COLOR_YUV2BGR_NV12, even=True),
    "nv21": _Layout(1, 1, cv2.COLOR_YUV2BGR_NV21, even=True),
    # OpenCV returns black for mosaics of fewer than 3 rows or columns.
    **{f"bayer_{name}8": _Layout(1, 1, code, min_side=3) for name, code in _BAYER.items()},
    **{f"bayer_{name}16": _Layout(2, 1, code, min_side=3) for name, code in _BAYER.items()},
}
ENCODINGS = tuple(_LAYOUTS)


def decode_image(msg: Any) -> NDArray[np.uint8]:
    """The (H, W, 3) uint8 BGR picture in a sensor_msgs/Image.

    Unpadded bgr8 is not copied: the result is a view of the message's data and may be read-only,
    so do not write into it.

    16 bits become 8 by value / 257, rounded: 0 stays black, 65535 becomes 255, as in cv_bridge.
    Nothing is stretched to the frame's own range, because that flickers. Grey becomes three equal
    channels, alpha is dropped, YUV is BT.601 limited range, Bayer is interpolated bilinearly.
    The odd last column of a 4:2:2 image borrows the second chroma sample of its neighbour.

    Raises ImageError.
    """
    layout = _LAYOUTS.get(msg.encoding)
    if layout is None:
        raise ImageError(
            "encoding",
            f"encoding {msg.encoding!r} is not a picture that can be decoded; "
            f"known encodings: {', '.join(ENCODINGS)}",
        )
    _check_size(msg.height, msg.width, layout, msg.encoding)
    pixels = _pixels(msg, layout)
    if layout.sample_bytes == 2:
        # 257 is odd, so no value lies halfway and every OpenCV rounds alike.
        pixels = cv2.convertScaleAbs(pixels.astype(np.uint16), alpha=1 / 257)
    if layout.samples_per_pixel == 2 and msg.width % 2:
        pixels = np.concatenate((pixels, pixels[:, -2:-1]), axis=1)
    if layout.to_bgr is None:
        return np.ascontiguousarray(pixels)
    bgr = cv2.cvtColor(np.ascontiguousarray(pixels), layout.to_bgr)
    return np.ascontiguousarray(bgr[:, : msg.width])


def decode_compressed(msg: Any) -> NDArray[np.uint8]:
    """The (H, W, 3) uint8 BGR picture in a sensor_msgs/CompressedImage: JPEG or PNG.

    The data tell which of the two it is; `format` is not needed. An EXIF orientation is ignored,
    so that boxes are in pixels of the image as the sensor gave it.

    A JPEG without its end marker is refused: OpenCV before 5 fills what is missing with grey and
    says nothing. Damage in the middle of a JPEG cannot be told from a picture.

    Raises ImageError.
    """
    data = _buffer(msg.data).tobytes()
    height, width = _compressed_size(data, msg.format)
    if height * width > MAX_PIXELS:
        raise ImageError("size", f"compressed image of {width} x {height} pixels is too large")
    try:
        image = cv2.imdecode(
            np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
        )
    except cv2.error as error:
        raise ImageError("compressed", f"compressed image cannot be decoded: {error}") from error
    if image is None:
        raise ImageError("compressed", f"compressed image of {len(data)} bytes is damaged")
    return np.asarray(image, np.uint8)


def _check_size(height: int, width: int, layout: _Layout, encoding: str) -> None:
    size = f"{encoding} image of {width} x {height} pixels"
    if height <= 0 or width <= 0:
        raise ImageError("size", f"{size} is empty")
    if height * width > MAX_PIXELS:
        raise ImageError("size", f"{size} is too large")
    if min(height, width) < layout.min_side:
        raise ImageError("size", f"{size} needs at least {layout.min_side} rows and columns")
    if layout.even and (height % 2 or width % 2):
        raise ImageError("size", f"{size} needs an even width and height")
    if layout.samples_per_pixel == 2 and width < 2:
        raise ImageError("size", f"{size} needs at least 2 columns")


def _pixels(msg: Any, layout: _Layout) -> NDArray[Any]:
    """View of the samples without their padding: (H, W), (H, W, C), or (H * 3 / 2, W) for nv12."""
    pixel_bytes = layout.sample_bytes * layout.samples_per_pixel
    if msg.step < msg.width * pixel_bytes:
        raise ImageError(
            "step",
            f"{msg.encoding} image {msg.width} pixels wide has a step of {msg.step} bytes, "
            f"it needs {msg.width * pixel_bytes}",
        )
    rows = msg.height * 3 // 2 if layout.even else msg.height
    data = _buffer(msg.data)
    if data.size != msg.step * rows:
        raise ImageError(
            "data",
            f"{msg.encoding} image of {rows} rows of {msg.step} bytes has {data.size} bytes, "
            f"it needs {msg.step * rows}",
        )
    shape, strides = [rows, msg.width], [msg.step, pixel_bytes]
    if layout.samples_per_pixel > 1:
        shape.append(layout.samples_per_pixel)
        strides.append(layout.sample_bytes)
    order = ">" if msg.is_bigendian else "<"
    return np.ndarray(shape, f"{order}u{layout.sample_bytes}", data, 0, strides)


def _buffer(data: Any) -> NDArray[np.uint8]:
    """The bytes of a message's data field, (N,) uint8, without a copy."""
    try:
        return np.frombuffer(data, np.uint8) if len(data) else np.zeros(0, np.uint8)
    except (TypeError, ValueError, BufferError) as error:
        raise ImageError("data", f"image data are not bytes: {type(data).__name__}") from error


def _compressed_size(data: bytes, image_format: str) -> tuple[int, int]:
    """Height and width as the file's own header has them; raises ImageError if it is not whole."""
    if data.startswith(b"\x89PNG\r\n\x1a\n") and len(data) >= 33:
        # A flipped bit in the size would cost the memory and time of a picture that is not there.
        if zlib.crc32(data[12:29]) != int.from_bytes(data[29:33], "big"):
            raise ImageError("compressed", f"PNG of {len(data)} bytes has a damaged header")
        return int.from_bytes(data[20:24], "big"), int.from_bytes(data[16:20], "big")
    if data.startswith(b"\xff\xd8"):
        return _jpeg_size(data)
    raise ImageError(
        "compressed",
        f"compressed image with format {image_format!r} and {len(data)} bytes "
        "starts like neither a JPEG nor a PNG",
    )


def _jpeg_size(data: bytes) -> tuple[int, int]:
    """Walks the segments to the first scan, so that an embedded thumbnail is not mistaken."""
    size, at = None, 2
    while at + 4 <= len(data) and data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker == 0xFF:  # fill byte
            at += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):  # a frame header
            size = tuple(int.from_bytes(data[at + i : at + i + 2], "big") for i in (5, 7))
        at += 2 + length
        if marker == 0xDA:  # the scan: its coded data never hold the end marker
            if size is None:
                break
            if data.find(b"\xff\xd9", at) < 0:
                raise ImageError("compressed", f"JPEG of {len(data)} bytes is cut off")
            return size[0], size[1]
    raise ImageError("compressed", f"JPEG of {len(data)} bytes has no picture in it")
