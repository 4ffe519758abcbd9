"""Transforms that move pixels: random affine, large-scale jittering, crop, flip, pad.

Each draws its numbers in the order of the reference (golden transforms.npz), so that the same
legacy NumPy seed gives the same view.
"""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from training.views.settings import ViewSettings
from training.views.view import View

BACKGROUND = 114  # grey of what lies outside of the image


def affine(view: View, rng: RandomState, settings: ViewSettings) -> View:
    """Rotate, scale, shear and shift about the top-left corner; what leaves the view is dropped.

    Boxes are cut to the image, as the reference does here and nowhere else.
    """
    height, width = view.image.shape[:2]
    angle = np.deg2rad(rng.uniform(-settings.rotation_deg, settings.rotation_deg))
    scale = rng.uniform(*settings.affine_scale)
    shear_x, shear_y = (
        np.tan(np.deg2rad(rng.uniform(-settings.shear_deg, settings.shear_deg))) for _ in range(2)
    )
    shift_x = rng.uniform(-settings.shift, settings.shift) * width
    shift_y = rng.uniform(-settings.shift, settings.shift) * height
    cosine, sine = np.cos(angle), np.sin(angle)
    matrix = (
        shifted(shift_x, shift_y)
        @ np.array([[1, shear_x, 0], [shear_y, 1, 0], [0, 0, 1]])
        @ np.array([[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]])
        @ np.diag([scale, scale, 1])
    )
    warped = cv2.warpAffine(view.image, matrix[:2], (width, height), borderValue=(BACKGROUND,) * 3)
    moved = view.moved(warped, matrix)
    return replace(moved, boxes=moved.clipped()).take(moved.inside())


def fit(view: View, size: float) -> View:
    """Resized, keeping its proportions, so that the longer side is int(``size``) px."""
    height, width = view.image.shape[:2]
    scale = int(size) / max(height, width)
    new_width, new_height = (max(1, int(side * scale + 0.5)) for side in (width, height))
    resized = cv2.resize(view.image, (new_width, new_height))
    return view.moved(resized, np.diag([new_width / width, new_height / height, 1]))


def large_scale_jitter(view: View, rng: RandomState, settings: ViewSettings) -> View:
    """Resized by a random factor around the scale at which it just fits the view."""
    if not settings.jitter:
        return fit(view, settings.size)
    low, high = settings.jitter_scale
    if not settings.crop:
        high = min(high, 1.0)
        low = min(low, high)
    return fit(view, settings.size * (rng.random_sample() * (high - low) + low))


def crop(view: View, rng: RandomState, size: int) -> View:
    """At most ``size`` px of each side, from a random place; boxes that remain are not cut."""
    height, width = view.image.shape[:2]
    y = rng.randint(0, max(height - size, 0) + 1)
    x = rng.randint(0, max(width - size, 0) + 1)
    moved = view.moved(view.image[y : y + size, x : x + size], shifted(-x, -y))
    return moved.take(moved.inside())


def flip(view: View) -> View:
    """Mirrored left to right."""
    mirror = np.array([[-1.0, 0, view.image.shape[1]], [0, 1, 0], [0, 0, 1]])
    return view.moved(np.ascontiguousarray(view.image[:, ::-1]), mirror)


def pad(view: View, size: int) -> View:
    """Grey added at the right and at the bottom, up to ``size`` px a side."""
    canvas = np.full((size, size, 3), BACKGROUND, np.uint8)
    height, width = view.image.shape[:2]
    canvas[:height, :width] = view.image
    return replace(view, image=canvas)


def shifted(x: float, y: float) -> NDArray[np.float64]:
    """(3, 3) matrix of a shift."""
    return np.array([[1.0, 0, x], [0, 1, y], [0, 0, 1]])
