"""Pictures as sensor_msgs/Image."""

from __future__ import annotations

import sys
from array import array
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sensor_msgs.msg import Image
from std_msgs.msg import Header


def image_message(pixels: NDArray[Any], encoding: str, header: Header) -> Image:
    """A (H, W) or (H, W, C) array as a message; `encoding` must be that of its dtype and shape."""
    pixels = np.ascontiguousarray(pixels)
    message = Image(header=header, encoding=encoding)
    message.height, message.width = pixels.shape[:2]
    message.step = pixels.strides[0]
    message.is_bigendian = int(sys.byteorder == "big")
    data = array("B")  # the setter takes this as it is; it looks at each byte of anything else
    data.frombytes(memoryview(pixels).cast("B"))
    message.data = data
    return message
