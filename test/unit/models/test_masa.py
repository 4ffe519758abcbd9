"""The four calls of an assembled model, on a small one."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from masa_core.models.precision import set_type  # noqa: E402
from masa_core.runtime.protocol import Model  # noqa: E402

from .small import small_masa  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture
def model():
    return small_masa()


def frame(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (37, 211), (480, 640), (2, 900)])
def test_any_frame_size(model, size):
    assert isinstance(model, Model)
    features = model.encode(frame(*size))
    assert (features.height, features.width) == size
    found = model.detect(features)
    assert model.embed(features, found.boxes).shape == (len(found), 16)
    assert (found.boxes >= 0).all()
    assert (found.boxes <= np.array([size[1], size[0]] * 2) * (1 + 1e-5)).all()
    assert (np.diff(found.scores) <= 0).all()
    assert model.max_detections >= len(found)


def test_no_boxes_give_no_embeddings(model):
    embeddings = model.embed(model.encode(frame(50, 60)), np.zeros((0, 4), np.float32))
    assert embeddings.shape == (0, 16) and embeddings.dtype == np.float32


def test_boxes_without_area_or_out_of_the_frame_still_give_embeddings(model):
    boxes = np.array([[5, 5, 5, 5], [-50, -50, 500, 500], [20, 20, 10, 10]], np.float32)
    assert np.isfinite(model.embed(model.encode(frame(50, 60)), boxes)).all()


def test_boxes_are_in_pixels_of_the_frame(model):
    """The same picture at twice the size has the same embeddings for twice the boxes."""
    import cv2

    small = cv2.GaussianBlur(frame(64, 64), (0, 0), 3)
    large = cv2.resize(small, (128, 128), interpolation=cv2.INTER_LINEAR)
    box = np.array([[10, 20, 40, 50]], np.float32)
    a = model.embed(model.encode(small), box)
    b = model.embed(model.encode(large), box * 2)
    other = model.embed(model.encode(large), box)
    assert np.linalg.norm(a - b) < 0.1 * np.linalg.norm(a - other)


def test_bad_frames_and_boxes_are_refused(model):
    with pytest.raises(ValueError, match="uint8"):
        model.encode(np.zeros((4, 4, 3), np.float32))
    with pytest.raises(ValueError, match="no pixels"):
        model.encode(np.zeros((0, 4, 3), np.uint8))
    with pytest.raises(ValueError, match="finite"):
        model.embed(model.encode(frame(8, 8)), np.array([[0, 0, np.nan, 1]], np.float32))
    with pytest.raises(ValueError, match="no masks"):
        model.masks(model.encode(frame(8, 8)), np.zeros((1, 4), np.float32))


@pytest.mark.parametrize(("dtype", "tolerance"), [("float16", 0.01), ("bfloat16", 0.08)])
def test_half_precision_stays_near_float32(model, dtype, tolerance):
    """Difference of embeddings in relation to their length; docs/models.md states the bound."""
    picture = frame(100, 120)
    boxes = np.array([[0, 0, 120, 100], [10, 10, 30, 40], [60, 20, 110, 90]], np.float32)
    exact = model.embed(model.encode(picture), boxes)
    set_type(model, getattr(torch, dtype))
    features = model.encode(picture)
    half = model.embed(features, boxes)
    assert half.dtype == np.float32
    difference = np.linalg.norm(half - exact, axis=1) / np.linalg.norm(exact, axis=1)
    assert difference.max() < tolerance
    model.detect(features)
