"""Boxes cut out of a frame, all in one size: what an embedding sees that wants every pixel."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray


def cut_crops(
    frame_bgr: NDArray[np.uint8], boxes_xyxy: NDArray[np.float32], height: int, width: int
) -> NDArray[np.float32]:
    """(N, 3, height, width) float32 BGR crops in 0..255 of a (H, W, 3) frame.

    boxes_xyxy: (N, 4) px of the frame. Their edges are rounded to whole pixels; what lies outside
    of the frame is left out, and a box with no pixel in it shows the one nearest to it. Larger
    boxes are averaged down and smaller ones interpolated.
    """
    rows, columns = frame_bgr.shape[:2]
    crops = np.empty((len(boxes_xyxy), 3, height, width), np.float32)
    for crop, (x1, y1, x2, y2) in zip(crops, np.rint(boxes_xyxy).astype(np.int64), strict=True):
        left, top = min(max(x1, 0), columns - 1), min(max(y1, 0), rows - 1)
        right, bottom = max(min(x2, columns), left + 1), max(min(y2, rows), top + 1)
        pixels = frame_bgr[top:bottom, left:right]
        shrinks = bottom - top > height and right - left > width
        how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        resized = cv2.resize(pixels, (width, height), interpolation=how)
        crop[:] = resized.transpose(2, 0, 1)
    return crops
