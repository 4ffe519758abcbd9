"""How the camera moved between two frames, from the sparse optical flow of what stands still.

The frame is made small first: a few milliseconds are enough for a motion that is good to a
fraction of a pixel. Corners inside of detections are left out, since those move by themselves;
what is left of moving things is outvoted (RANSAC).
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

WIDTH_PX = 320  # of the small frame
CORNERS = 200
CORNER_QUALITY = 0.01  # of the best corner
CORNER_DISTANCE_PX = 8  # so that one textured spot does not take them all
WINDOW_PX = 15
BACK_PX = 0.5  # there and back again, a corner must come out where it began
RANSAC_PX = 1.0
MIN_INLIERS = 12
MIN_INLIER_SHARE = 0.4  # of the corners that were found again
MAX_ZOOM = 1.5  # between two frames; what says more is no motion of a camera

Motion = NDArray[np.float64]
Grey = NDArray[np.uint8]


@dataclass(frozen=True)
class _Seen:
    """A frame: small and grey, pixels of it for one of the frame, and its corners (K, 1, 2)."""

    grey: Grey
    scale: NDArray[np.float64]
    corners: NDArray[np.float32]


class CameraMotion:
    """The motion from each frame to the next that it is shown. Frames may be of any size."""

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """Forget the last frame: the next one is a first."""
        self._last: _Seen | None = None

    def to(self, frame_bgr: NDArray[np.uint8], boxes: NDArray[np.float32]) -> Motion:
        """(2, 3) float64 matrix that takes pixels of the frame before to pixels of this one.

        frame_bgr: (H, W, 3) uint8. boxes: (N, 4) xyxy in its pixels, of what may move by itself.
        A rotation, a zoom and a shift; the identity for a first frame, and where too little that
        is seen in both frames agrees.
        """
        last, now = self._last, _look(frame_bgr, boxes)
        self._last = now
        if last is None or last.grey.shape != now.grey.shape:
            return np.eye(2, 3)
        return _between(last, now)


def _look(frame_bgr: NDArray[np.uint8], boxes: NDArray[np.float32]) -> _Seen:
    height, width = frame_bgr.shape[:2]
    size = (min(WIDTH_PX, width), max(1, round(height * min(1, WIDTH_PX / width))))
    small = cv2.resize(frame_bgr, size, interpolation=cv2.INTER_AREA)
    grey = np.asarray(cv2.cvtColor(small, cv2.COLOR_BGR2GRAY), np.uint8)
    scale = np.array(size) / (width, height)
    still = np.full(grey.shape, 255, np.uint8)
    limits = np.tile(size, 2)
    for x1, y1, x2, y2 in np.clip(np.rint(boxes * np.tile(scale, 2)), 0, limits).astype(int):
        still[y1:y2, x1:x2] = 0
    corners = cv2.goodFeaturesToTrack(
        grey, CORNERS, CORNER_QUALITY, CORNER_DISTANCE_PX, mask=still, blockSize=3
    )
    if corners is None:
        corners = np.zeros((0, 1, 2), np.float32)
    return _Seen(grey, scale, np.asarray(corners, np.float32))


def _between(last: _Seen, now: _Seen) -> Motion:
    identity = np.eye(2, 3)
    if len(last.corners) < MIN_INLIERS:
        return identity
    before, after = _flow(last.grey, now.grey, last.corners)
    if len(before) < MIN_INLIERS:
        return identity
    matrix, inliers = cv2.estimateAffinePartial2D(
        before, after, method=cv2.RANSAC, ransacReprojThreshold=RANSAC_PX, maxIters=500
    )
    if matrix is None or inliers.sum() < max(MIN_INLIERS, MIN_INLIER_SHARE * len(before)):
        return identity
    zoom = np.hypot(matrix[0, 0], matrix[1, 0])
    if not 1 / MAX_ZOOM < zoom < MAX_ZOOM:
        return identity
    to_small, to_frame = np.diag([*last.scale, 1]), np.diag(1 / now.scale)
    return np.asarray(to_frame @ matrix @ to_small, np.float64)


def _flow(
    last: Grey, now: Grey, corners: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The corners (K, 2) that were found again, and where."""
    after, found = _follow(last, now, corners)
    back, found_back = _follow(now, last, after)
    error = np.linalg.norm(back - corners, axis=2).ravel()
    good = found & found_back & (error < BACK_PX)
    return corners[good, 0], after[good, 0]


def _follow(
    last: Grey, now: Grey, corners: NDArray[np.float32]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Where the corners (K, 1, 2) are now, and which were found (K,)."""
    room = np.empty_like(corners)
    window = (WINDOW_PX, WINDOW_PX)
    after, found, _ = cv2.calcOpticalFlowPyrLK(last, now, corners, room, winSize=window)
    return np.asarray(after, np.float32), np.asarray(found).ravel() > 0
