"""Photometric effects: they change colours, move nothing, and can be switched on one by one."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from training.views import ViewSettings
from training.views.photometric import photometric

IMAGE = np.load(Path(__file__).parents[2] / "data" / "golden" / "transforms.npz")["a_img"]
EFFECTS = ("motion_blur", "noise", "snow", "fog", "brightness")
OFF = ViewSettings()


def smooth_picture() -> np.ndarray:
    """A bright disc on a textured ground, 240 x 320: something that can be found again."""
    rng = np.random.RandomState(0)
    ground = cv2.resize(rng.uniform(40, 120, (12, 16, 3)).astype(np.float32), (320, 240))
    return cv2.circle(ground, (150, 110), 40, (160, 180, 200), -1).astype(np.uint8)


@pytest.mark.parametrize("effect", EFFECTS)
@pytest.mark.parametrize("shape", [(96, 128), (1, 1), (7, 300)])
def test_an_effect_changes_values_and_nothing_else(effect: str, shape: tuple[int, int]) -> None:
    image = cv2.resize(IMAGE, shape[::-1])
    before = image.copy()
    changed = [
        photometric(image, np.random.RandomState(seed), replace(OFF, **{effect: 1.0}))
        for seed in range(5)
    ]
    np.testing.assert_array_equal(image, before)
    for result in changed:
        assert result.shape == image.shape and result.dtype == np.uint8
    if min(shape) > 1:
        assert all((result != image).any() for result in changed)
        assert any((result != changed[0]).any() for result in changed[1:])


@pytest.mark.parametrize("effect", EFFECTS)
def test_objects_stay_where_they_are_and_visible(effect: str) -> None:
    picture = smooth_picture()
    disc = picture[60:160, 100:200]
    for seed in range(10):
        result = photometric(picture, np.random.RandomState(seed), replace(OFF, **{effect: 1.0}))
        match = cv2.matchTemplate(result, disc, cv2.TM_CCOEFF_NORMED)
        _, best, _, place = cv2.minMaxLoc(match)
        assert best > 0.7
        assert np.hypot(place[0] - 100, place[1] - 60) < 2.5


def test_switched_off_nothing_is_drawn() -> None:
    rng = np.random.RandomState(1)
    assert photometric(IMAGE, rng, OFF) is IMAGE
    assert rng.random_sample() == np.random.RandomState(1).random_sample()


def test_a_probability_is_one() -> None:
    rng = np.random.RandomState(2)
    settings = replace(OFF, brightness=0.3)
    changed = sum(photometric(IMAGE, rng, settings) is not IMAGE for _ in range(400))
    assert 90 < changed < 150
