"""The camera of a drive: a pinhole above a flat road, which shakes a little.

World coordinates are metres relative to the camera: x to the right, y up from the road, z ahead.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NEAR_M = 0.4  # what is nearer than this is not drawn
FOCAL = 1.0  # focal length in widths of the frame: 53 degrees, as dashboard cameras have


@dataclass(frozen=True)
class View:
    """The camera at one time.

    horizon: height of the horizon as a share of the frame's. camera_m: height above the road.
    shift_px, roll: what shaking adds to every point of the picture, before motion of the car.
    """

    width: int
    height: int
    horizon: float
    camera_m: float = 1.2
    shift_px: tuple[float, float] = (0.0, 0.0)
    roll: float = 0.0

    @property
    def focal_px(self) -> float:
        return FOCAL * self.width

    @property
    def affine(self) -> NDArray[np.float64]:
        """(2, 3) matrix that takes a picture of a camera at rest to this one."""
        cx, cy = self._centre()
        cos, sin = np.cos(self.roll), np.sin(self.roll)
        dx, dy = self.shift_px
        rotation = np.array([[cos, -sin], [sin, cos]])
        offset = np.array([cx + dx, cy + dy]) - rotation @ np.array([cx, cy])
        return np.column_stack((rotation, offset))

    def project(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels (N, 2) of points (N, 3) that lie in front of the camera."""
        cx, cy = self._centre()
        z = np.maximum(points[:, 2], NEAR_M)
        x = cx + self.focal_px * points[:, 0] / z
        y = cy + self.focal_px * (self.camera_m - points[:, 1]) / z
        matrix = self.affine
        return np.column_stack((x, y)) @ matrix[:, :2].T + matrix[:, 2]

    def _centre(self) -> tuple[float, float]:
        return self.width / 2, self.horizon * self.height


def clip_near(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """The part of a convex polygon (N, 3) that lies in front of the camera; (0, 3) if none."""
    inside = points[:, 2] >= NEAR_M
    if inside.all():
        return points
    kept = []
    for here, there, shown, shows in zip(
        points, np.roll(points, -1, axis=0), inside, np.roll(inside, -1), strict=True
    ):
        if shown:
            kept.append(here)
        if shown != shows:
            kept.append(here + (there - here) * (NEAR_M - here[2]) / (there[2] - here[2]))
    return np.array(kept).reshape(-1, 3)
