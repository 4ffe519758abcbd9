"""Weather, exposure and sensor: motion blur, Gaussian noise, snow, fog, brightness (appendix E).

Each takes and gives a (H, W, 3) uint8 BGR image and moves nothing. The paper gives no strengths;
these are ours: a person should still recognise every object. Lengths go with the image's size.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from training.views.settings import ViewSettings

Image = NDArray[np.uint8]

BLUR_LENGTH = (0.006, 0.02)  # of the longer side
NOISE_DEVIATION = (3.0, 16.0)  # grey levels
FLAKES = (0.002, 0.01)  # share of the coarse grid's cells in which one starts
FLAKE_SIDE = 0.003  # of the longer side
FLAKE_LENGTH = (0.005, 0.02)  # of the longer side: how far it falls while the shutter is open
FOG_DENSITY = (0.2, 0.6)
FOG_GREY = (190.0, 235.0)
BRIGHTNESS_GAIN = (0.55, 1.45)
BRIGHTNESS_OFFSET = (-15.0, 15.0)  # grey levels


def photometric(image: Image, rng: RandomState, settings: ViewSettings) -> Image:
    """Each effect by its own probability. Brightness and sensor come last, as in a camera."""
    effects: tuple[tuple[float, Callable[[Image, RandomState], Image]], ...] = (
        (settings.fog, fog),
        (settings.snow, snow),
        (settings.motion_blur, motion_blur),
        (settings.brightness, brightness),
        (settings.noise, noise),
    )
    for probability, effect in effects:
        if probability > 0 and rng.random_sample() < probability:
            image = effect(image, rng)
    return image


def motion_blur(image: Image, rng: RandomState) -> Image:
    """The camera turned while the shutter was open: every pixel becomes a short line."""
    length = rng.uniform(*BLUR_LENGTH) * max(image.shape[:2])
    return cv2.filter2D(image, -1, _line(length, rng.uniform(0, np.pi)))


def noise(image: Image, rng: RandomState) -> Image:
    """Gaussian noise, independent in each pixel and channel."""
    grain = rng.standard_normal(image.shape).astype(np.float32) * rng.uniform(*NOISE_DEVIATION)
    return _grey_levels(image + grain)


def snow(image: Image, rng: RandomState) -> Image:
    """White flakes that fall in one direction, some nearer than others."""
    height, width = image.shape[:2]
    longer = max(height, width)
    side = max(1.0, FLAKE_SIDE * longer)
    grid = (max(1, int(height / side)), max(1, int(width / side)))
    strength = rng.random_sample(grid) * (rng.random_sample(grid) < rng.uniform(*FLAKES))
    flakes = cv2.resize(strength.astype(np.float32), (width, height))
    length = rng.uniform(*FLAKE_LENGTH) * longer
    line = _line(length, np.pi / 2 + rng.uniform(-0.5, 0.5))
    # A moving flake spreads its light; some of that is given back, so that it stays visible.
    flakes = cv2.filter2D(flakes, -1, line * np.sqrt(max(length, 1.0))).clip(0, 1)[..., None]
    return _grey_levels(image + flakes * (255.0 - image))


def fog(image: Image, rng: RandomState) -> Image:
    """Grey haze in drifts: what is behind loses contrast."""
    height, width = image.shape[:2]
    drifts = rng.uniform(0.6, 1.2, (4, 4)).astype(np.float32) * rng.uniform(*FOG_DENSITY)
    density = cv2.resize(drifts, (width, height), interpolation=cv2.INTER_CUBIC).clip(0, 1)
    return _grey_levels(image + density[..., None] * (rng.uniform(*FOG_GREY) - image))


def brightness(image: Image, rng: RandomState) -> Image:
    """Exposure: all grey levels times a gain, plus an offset."""
    gain, offset = rng.uniform(*BRIGHTNESS_GAIN), rng.uniform(*BRIGHTNESS_OFFSET)
    return cv2.LUT(image, _grey_levels(np.arange(256) * gain + offset))


def _line(length: float, angle: float) -> NDArray[np.float32]:
    """Kernel that makes a line of a pixel: ``length`` px (2 at least), turned by ``angle``."""
    length = max(length, 2.0)
    half = int(np.ceil(length / 2))
    kernel = np.zeros((2 * half + 1, 2 * half + 1), np.float32)
    reach = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    start, end = (tuple(np.rint(half + sign * reach).astype(int).tolist()) for sign in (-1, 1))
    cv2.line(kernel, start, end, 1.0)
    return kernel / kernel.sum()


def _grey_levels(image: NDArray) -> Image:
    return np.rint(image).clip(0, 255).astype(np.uint8)
