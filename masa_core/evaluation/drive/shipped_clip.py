"""The shipped drive without its traffic, which is in no truth.

All of its cars drive to the left of the car that films. So what lies above the edge of the second
lane is replaced by the other side of the road, mirrored, from a moment before: a road with two
lanes and a verge on both sides, and nothing on it but specks of a few pixels at the horizon.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from masa_core.assets import asset_path
from masa_core.evaluation.drive.background import Backdrop

_CENTRE = 0.525  # of the mirror, as a share of the width: to the right of the farthest car
_EDGE = (0.585, 0.755)  # of the second lane, at the centre and at the left: shares of the height
_DELAY = 40  # frames between the two sides, lest one sees that they are one
_FEATHER_PX = 7


def shipped_backdrop() -> Backdrop:
    """The car drove at 30 m/s: a line is painted every 14.6 m, and one comes by every 12.2 frames.
    Played more slowly, it drives at 43 km/h, at which people can be at the roadside.

    Raises FileNotFoundError where the clip did not come with the package.
    """
    return Backdrop(
        asset_path("drive/solidWhiteRight.mp4"),
        playback=0.4,
        camera_m_s=30.0,
        vanishing_point=(0.468, 0.558),
        prepare=_without_traffic,
    )


def _without_traffic(frames: Iterator[NDArray[np.uint8]]) -> Iterator[NDArray[np.uint8]]:
    """The frames of the clip from the 41st on, without the margin that the mirror cannot fill."""
    past: deque[NDArray[np.uint8]] = deque()
    weight: NDArray[np.float32] | None = None
    for frame in frames:
        margin = round((2 * _CENTRE - 1) * frame.shape[1])
        past.append(frame[:, margin:])
        if len(past) <= _DELAY:
            continue
        if weight is None:
            weight = _left_side(*past[0].shape[:2])
        mirrored, here = past.popleft()[:, ::-1], frame[:, margin:]
        yield (here + weight * (mirrored - here.astype(np.float32))).astype(np.uint8)


def _left_side(height: int, width: int) -> NDArray[np.float32]:
    """(height, width, 1) share of the mirrored frame."""
    centre = (width // 2, round(_EDGE[0] * height))
    corners = [centre, (0, round(_EDGE[1] * height)), (0, 0), (centre[0], 0)]
    side = np.zeros((height, width), np.float32)
    cv2.fillConvexPoly(side, np.array(corners), 1.0)
    return np.asarray(cv2.GaussianBlur(side, (0, 0), _FEATHER_PX), np.float32)[..., None]
