"""From a camera frame to the input of a bundle's image graph."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from masa_core.runtime.bundle_spec import ImageSpec

Frame = NDArray[np.uint8]


def prepare(frame_bgr: Frame, spec: ImageSpec) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """The (1, 3, H, W) float32 input for a (h, w, 3) frame, and the (height, width) of the frame
    in it, px: all of the input, or where the spec has a `size` its top left part."""
    return _fitted(frame_bgr, spec) if spec.size else _stretched(frame_bgr, spec)


def _stretched(frame_bgr: Frame, spec: ImageSpec) -> tuple[NDArray[np.float32], tuple[int, int]]:
    height, width = frame_bgr.shape[:2]
    height, width = network_size(height, width, spec.pixels, spec.multiple)
    # One call resizes, subtracts and transposes; the resizing comes first, on 8 bits.
    swap = spec.channels == "rgb"
    blob = cv2.dnn.blobFromImage(frame_bgr, 1.0, (width, height), spec.mean, swapRB=swap)
    image = np.asarray(blob, np.float32)
    image /= np.array(spec.std, np.float32).reshape(3, 1, 1)
    return image, (height, width)


def _fitted(frame_bgr: Frame, spec: ImageSpec) -> tuple[NDArray[np.float32], tuple[int, int]]:
    """As the torch models do: floats are resized, and the padding is zero after normalising."""
    height, width = frame_bgr.shape[:2]
    scale = min(spec.size[0] / height, spec.size[1] / width)
    if spec.long_side:
        scale = min(scale, spec.long_side / max(height, width))
    if spec.short_side:
        scale = min(scale, spec.short_side / min(height, width))
    rows, columns = (max(int(side * scale + 0.5), 1) for side in (height, width))
    resized = cv2.resize(frame_bgr.astype(np.float32), (columns, rows))
    if spec.channels == "rgb":
        resized = cv2.cvtColor(resized, cv2.COLOR_BGR2RGB)
    normal = (resized - np.array(spec.mean, np.float32)) / np.array(spec.std, np.float32)
    image = np.zeros((1, 3, *spec.size), np.float32)
    image[0, :, :rows, :columns] = normal.transpose(2, 0, 1)
    return image, (rows, columns)


def network_size(height: int, width: int, pixels: int, multiple: int) -> tuple[int, int]:
    """Height and width of the network input for a frame, px.

    The multiples of `multiple` nearest to the frame's aspect ratio at an area of `pixels`.
    """
    shrink = (pixels / (height * width)) ** 0.5
    rows, columns = (max(1, round(side * shrink / multiple)) for side in (height, width))
    return rows * multiple, columns * multiple
