"""MixUp: a second image shines through, and its instances are to be told apart as well."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import RandomState

from training.views.geometric import BACKGROUND, shifted
from training.views.settings import ViewSettings
from training.views.view import View


def mixup(view: View, partner: View, rng: RandomState, settings: ViewSettings) -> View:
    """Half of ``view`` and half of ``partner``, which is scaled, flipped and shifted at random.

    Its instances are added with their own ids, so that they are matched between views that were
    mixed with the same partner; their boxes are not cut. Draws: scale, flip, y and x offset, the
    offsets only where the partner is larger than the view.
    """
    height, width = view.image.shape[:2]
    jitter = rng.uniform(*settings.mixup_scale)
    mirrored = rng.uniform(0, 1) > 0.5
    other, matrix = _on_canvas(partner, settings.size, jitter)
    if mirrored:
        matrix = np.array([[-1.0, 0, other.shape[1]], [0, 1, 0], [0, 0, 1]]) @ matrix
        other = other[:, ::-1]
    y = rng.randint(0, other.shape[0] - height) if other.shape[0] > height else 0
    x = rng.randint(0, other.shape[1] - width) if other.shape[1] > width else 0
    ghost = np.full_like(view.image, BACKGROUND)
    seen = other[y : y + height, x : x + width]
    ghost[: seen.shape[0], : seen.shape[1]] = seen
    # (a + b) >> 1 without overflow: the reference cuts halves off.
    mixed = (view.image & ghost) + ((view.image ^ ghost) >> 1)
    moved = partner.moved(mixed, shifted(-x, -y) @ matrix)
    return view.joined(moved.take(moved.inside()), mixed)


def _on_canvas(partner: View, size: int, jitter: float) -> tuple[np.ndarray, np.ndarray]:
    """The partner in the top-left corner of a grey square, scaled; and the (3, 3) matrix of it."""
    height, width = partner.image.shape[:2]
    scale = min(size / height, size / width)
    fitted = cv2.resize(partner.image, (max(1, int(width * scale)), max(1, int(height * scale))))
    # The reference resizes in double precision and then cuts the fractions off.
    canvas = np.full((size, size, 3), float(BACKGROUND))
    canvas[: fitted.shape[0], : fitted.shape[1]] = fitted
    side = int(size * jitter)
    scaled = cv2.resize(canvas, (side, side)).astype(np.uint8)
    return scaled, np.diag([scale * jitter, scale * jitter, 1])
