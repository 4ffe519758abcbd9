"""Jitter of hue, saturation and value."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from training.views.settings import ViewSettings


def hsv_jitter(
    image: NDArray[np.uint8], rng: RandomState, settings: ViewSettings
) -> NDArray[np.uint8]:
    """A (H, W, 3) BGR image with whole-number amounts added to some of hue, saturation, value."""
    gains = rng.uniform(-1, 1, 3) * settings.hsv_gains
    gains = (gains * rng.randint(0, 2, 3)).astype(np.int16)
    hsv = cv2.cvtColor(image, cv2.COLOR_BGR2HSV).astype(np.int16) + gains
    hsv[..., 0] %= 180
    return cv2.cvtColor(hsv.clip(0, 255).astype(np.uint8), cv2.COLOR_HSV2BGR)
