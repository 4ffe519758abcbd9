"""Objects as cut-outs: colour and coverage of the pixels that an object takes in the frame."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from masa_core.evaluation.drive.shapes import Blob, Colour, Figure, Line, Patch
from masa_core.evaluation.drive.view import NEAR_M, View, clip_near

_SUN = np.array((0.45, 0.75, -0.48))  # from behind the camera: what is ahead is lit
_AMBIENT, _DIRECT = 0.58, 0.62
_HAZE, _HAZE_M = np.array((205.0, 196.0, 186.0)), 450.0  # colour of the far, and how far that is
_LENS_PX = 0.6  # no lens is as sharp as a polygon
_SUBPIXEL_BITS = 4
_CIRCLE = np.array([(np.cos(a), np.sin(a)) for a in np.linspace(0, 2 * np.pi, 12, endpoint=False)])


@dataclass(frozen=True)
class Pose:
    """Where an object stands: metres from the camera, radians from the way the camera looks."""

    x: float
    z: float
    yaw: float


@dataclass
class Sprite:
    """A cut-out whose top-left pixel is (x, y) of the frame.

    colour: (h, w, 3) uint8 BGR, already multiplied by coverage: (h, w) uint8.
    solid: (h, w) bool, where it covers at least half of a pixel.
    """

    x: int
    y: int
    colour: NDArray[np.uint8]
    coverage: NDArray[np.uint8]
    solid: NDArray[np.bool_]


def placed(points: NDArray[np.float64], pose: Pose) -> NDArray[np.float64]:
    """World coordinates (N, 3) of an object's own."""
    cos, sin = np.cos(pose.yaw), np.sin(pose.yaw)
    x, y, z = points.T
    return np.column_stack((cos * x + sin * z + pose.x, y, cos * z - sin * x + pose.z))


def draw_figure(
    figure: Figure, pose: Pose, view: View, light: float, texture: NDArray[np.float32]
) -> Sprite | None:
    """The cut-out of a drawn object; None where nothing of it is in the frame.

    light: factor of its brightness. texture: (h, w) factors of its brightness over its bounds,
    which make flat paint uneven.
    """
    parts = [(part, placed(part.points, pose)) for part in figure.parts]
    ground = np.insert(figure.footprint, 1, 0, axis=1)
    corners = np.concatenate([*(points for _, points in parts), placed(ground, pose)])
    seen = corners[corners[:, 2] >= NEAR_M]
    if len(seen) == 0:
        return None
    pixels = view.project(seen)
    margin = 0.35 * view.focal_px / max(float(seen[:, 2].min()), 1.0)  # radii of blobs
    margin = margin if any(not isinstance(part, Patch) for part in figure.parts) else 1.0
    low, high = pixels.min(axis=0) - margin, pixels.max(axis=0) + margin
    x1, y1 = np.maximum(np.floor(low), 0).astype(int).tolist()
    x2, y2 = np.minimum(np.ceil(high), (view.width, view.height)).astype(int).tolist()
    if x2 - x1 < 1 or y2 - y1 < 1:
        return None
    fine = 2 if max(x2 - x1, y2 - y1) > 150 else 4  # drawn larger, then averaged: smooth edges
    painter = _Painter(view, (x1, y1), (x2 - x1, y2 - y1), fine, light, pose.z)
    parts.sort(key=lambda item: -float(np.linalg.norm(item[1].mean(axis=0))))
    turned = Pose(0, 0, pose.yaw)
    for part, points in parts:
        if isinstance(part, Patch):
            painter.patch(part, points, placed(part.normal[None], turned)[0], pose)
        elif isinstance(part, Blob):
            painter.blob(points, part)
        else:
            painter.line(points, part)
    picture = cv2.resize(painter.canvas, (x2 - x1, y2 - y1), interpolation=cv2.INTER_AREA)
    solid = picture[:, :, 3] >= 128
    if not solid.any():
        return None
    picture = cv2.GaussianBlur(picture, (3, 3), _LENS_PX)
    coverage = np.ascontiguousarray(picture[:, :, 3], np.uint8)
    bounds = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
    shade = _over(texture, bounds, (x1, y1), (x2 - x1, y2 - y1))
    colour = np.minimum(picture[:, :, :3] * shade[:, :, None], coverage[:, :, None])
    return Sprite(x1, y1, colour.astype(np.uint8), coverage, solid)


class _Painter:
    def __init__(
        self,
        view: View,
        origin: tuple[int, int],
        size: tuple[int, int],
        fine: int,
        light: float,
        distance_m: float,
    ) -> None:
        self.canvas = np.zeros((size[1] * fine, size[0] * fine, 4), np.uint8)
        self._view = view
        self._origin = np.array(origin)
        self._fine = fine
        self._light = light
        self._haze = 1 - np.exp(-max(distance_m, 0) / _HAZE_M)

    def patch(
        self, part: Patch, points: NDArray[np.float64], normal: NDArray[np.float64], pose: Pose
    ) -> None:
        if normal @ points[0] >= 0:  # turned away
            return
        shade = _AMBIENT + _DIRECT * max(float(normal @ _SUN), 0)
        self._polygon(points, part.colour, shade)
        for decal, colour in part.decals:
            self._polygon(placed(decal, pose), colour, shade)

    def blob(self, points: NDArray[np.float64], part: Blob) -> None:
        if points[:, 2].min() < NEAR_M:
            return
        centres = self._pixels(points)
        radii = np.array(part.radii) * self._view.focal_px / points[:, 2] * self._fine
        rim = (centres[:, None] + radii[:, None, None] * _CIRCLE).reshape(-1, 2)
        self._fill(cv2.convexHull(rim.astype(np.float32))[:, 0], part.colour, 0.78)
        lit = centres + radii[:, None] * (0.22, -0.25)  # the side of the sun
        rim = (lit[:, None] + 0.62 * radii[:, None, None] * _CIRCLE).reshape(-1, 2)
        self._fill(cv2.convexHull(rim.astype(np.float32))[:, 0], part.colour, 1.04)

    def line(self, points: NDArray[np.float64], part: Line) -> None:
        if points[:, 2].min() < NEAR_M:
            return
        scale = self._view.focal_px / float(points[:, 2].mean()) * self._fine
        width = max(1, round(2 * part.radius * scale))
        pixels = self._fixed(self._pixels(points))
        cv2.polylines(
            self.canvas, [pixels], False, self._ink(part.colour, 0.9), width, 8, _SUBPIXEL_BITS
        )

    def _polygon(self, points: NDArray[np.float64], colour: Colour, shade: float) -> None:
        shown = clip_near(points)
        if len(shown) >= 3:
            self._fill(self._pixels(shown), colour, shade)

    def _fill(self, pixels: NDArray, colour: Colour, shade: float) -> None:
        ink = self._ink(colour, shade)
        cv2.fillConvexPoly(self.canvas, self._fixed(pixels), ink, 8, _SUBPIXEL_BITS)

    def _pixels(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Of the canvas."""
        return (self._view.project(points) - self._origin) * self._fine

    def _fixed(self, pixels: NDArray) -> NDArray[np.int32]:
        """In the fixed point numbers of OpenCV, whose (0, 0) is the middle of a pixel."""
        near = np.clip(pixels - 0.5, -20_000, 20_000)
        return np.rint(near * (1 << _SUBPIXEL_BITS)).astype(np.int32)

    def _ink(self, colour: Colour, shade: float) -> tuple[float, float, float, float]:
        lit = np.minimum(np.array(colour) * (shade * self._light), 255)
        blue, green, red = (lit + (_HAZE * self._light - lit) * self._haze).tolist()
        return blue, green, red, 255


def _over(
    texture: NDArray[np.float32],
    bounds: tuple[float, float, float, float],
    origin: tuple[int, int],
    size: tuple[int, int],
) -> NDArray[np.float32]:
    """The part of a texture, stretched over bounds, that falls on a window of the frame."""
    height, width = texture.shape
    scale_x = (bounds[2] - bounds[0]) / width
    scale_y = (bounds[3] - bounds[1]) / height
    matrix = np.array(
        [[scale_x, 0, bounds[0] - origin[0]], [0, scale_y, bounds[1] - origin[1]]], np.float64
    )
    return np.asarray(
        cv2.warpAffine(texture, matrix, size, None, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
    )
