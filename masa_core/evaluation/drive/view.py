"""The camera of a drive: a pinhole above a flat road, which shakes a little.

World coordinates are metres relative to the camera: x to the right, y up from the road, z ahead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEAR_M = 0.4  # what is nearer than this is not drawn
_FOCAL = 1.0  # focal length in widths of the frame: 53 degrees, as dashboard cameras have
_CAMERA_M = 1.23  # height above the road at which the lanes of the shipped clip are 3.66 m wide


@dataclass(frozen=True)
class View:
    """The camera at one time.

    vanishing_point: where the road meets the horizon, in shares of the frame's size.
    shift_px, roll: what shaking does to the picture; roll in radians around the vanishing point.
    """

    width: int
    height: int
    vanishing_point: tuple[float, float]
    shift_px: tuple[float, float] = (0.0, 0.0)
    roll: float = 0.0

    @property
    def focal_px(self) -> float:
        return _FOCAL * self.width

    @property
    def affine(self) -> NDArray[np.float64]:
        """(2, 3) matrix that takes the picture of a camera at rest to this one."""
        cos, sin = np.cos(self.roll), np.sin(self.roll)
        rotation = np.array([[cos, -sin], [sin, cos]])
        centre = self._centre()
        return np.column_stack((rotation, centre + self.shift_px - rotation @ centre))

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels (N, 2) of points (N, 3) that lie in front of the camera."""
        offsets = np.column_stack((points[:, 0], _CAMERA_M - points[:, 1]))
        scale = self.focal_px / np.maximum(points[:, 2:], NEAR_M)
        matrix = self.affine
        return (self._centre() + scale * offsets) @ matrix[:, :2].T + matrix[:, 2]

    def _centre(self) -> NDArray[np.float64]:
        return np.array(self.vanishing_point) * (self.width, self.height)


def clip_near(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The part of a convex polygon (N, 3) that lies in front of the camera; (0, 3) if none."""
    inside = points[:, 2] >= NEAR_M
    if inside.all():
        return points
    kept = []
    following = zip(points, inside, np.roll(points, -1, 0), np.roll(inside, -1), strict=True)
    for here, here_shows, there, there_shows in following:
        if here_shows:
            kept.append(here)
        if here_shows != there_shows:
            kept.append(here + (there - here) * (NEAR_M - here[2]) / (there[2] - here[2]))
    return np.array(kept).reshape(-1, 3)
