"""Mask targets: the segment where the view's pixels show it."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

pytestmark = pytest.mark.torch
pytest.importorskip("torch")

from masa_core.masks import encode_mask, paste_mask  # noqa: E402
from masa_core.structures import Mask  # noqa: E402
from training.losses.masks import mask_targets  # noqa: E402
from training.views import View, ViewSettings  # noqa: E402
from training.views.pair import make_view  # noqa: E402

SIZE = 28


def blob(height: int, width: int, centre: tuple[int, int], radius: int) -> np.ndarray:
    """A disc with a bite out of its upper right: no symmetry that could hide an error."""
    pixels = np.zeros((height, width), np.uint8)
    cv2.circle(pixels, centre, radius, 1, -1)
    pixels[: centre[1], centre[0] :] = 0
    return pixels.astype(bool)


def view_of(*pixels: np.ndarray) -> View:
    """An image that is white where there is a mask, with the masks and their boxes."""
    masks = [encode_mask(mask) for mask in pixels]
    boxes = [[m.x, m.y, m.x + m.width, m.y + m.height] for m in masks]
    image = np.repeat(255 * np.any(pixels, axis=0)[..., None].astype(np.uint8), 3, axis=2)
    ids = np.arange(len(masks), dtype=np.int64) + 1
    return View(
        image, np.array(boxes, np.float32), ids, masks, np.tile(np.eye(3), (len(ids), 1, 1))
    )


def shares_by_points(view: View, row: int, box: np.ndarray, size: int, points: int = 32):
    """The same by definition: many points in each cell, looked up one by one in the mask."""
    mask = view.masks[row]
    pixels = paste_mask(mask, mask.y + mask.height + 1, mask.x + mask.width + 1)
    steps = (np.arange(size * points) + 0.5) / (size * points)
    x, y = np.meshgrid(box[0] + steps * (box[2] - box[0]), box[1] + steps * (box[3] - box[1]))
    back = np.linalg.inv(view.to_view[row])
    columns, rows = (np.floor(back[i, 0] * x + back[i, 1] * y + back[i, 2]) for i in (0, 1))
    known = (columns >= 0) & (columns < pixels.shape[1]) & (rows >= 0) & (rows < pixels.shape[0])
    inside = np.zeros(x.shape, bool)
    inside[known] = pixels[rows[known].astype(int), columns[known].astype(int)]
    return inside.reshape(size, points, size, points).mean(axis=(1, 3))


@pytest.mark.parametrize("radius", [20, 60, 200])
def test_targets_are_the_share_of_each_cell(radius: int) -> None:
    """Masks smaller than the grid, of its size, and far larger."""
    view = view_of(blob(2 * radius + 50, 3 * radius, (radius + 17, radius + 9), radius))
    target = mask_targets(view, [0], SIZE)[0]
    assert target.dtype == np.float32 and target.shape == (SIZE, SIZE)
    expected = shares_by_points(view, 0, view.boxes[0], SIZE)
    assert np.abs(target - expected).mean() < 0.01
    assert ((target > 0.5) != (expected > 0.5)).mean() < 0.01


def cut_out(image: np.ndarray, box: np.ndarray) -> np.ndarray:
    """(SIZE, SIZE) mean grey level in each cell of a box."""
    fine = 4 * SIZE
    step = (box[2:] - box[:2]) / fine
    matrix = np.column_stack((np.diag(step), box[:2] + step / 2 - 0.5))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    pixels = cv2.warpAffine(image[..., 0], matrix, (fine, fine), flags=flags)
    return pixels.reshape(SIZE, 4, SIZE, 4).mean(axis=(1, 3))


@pytest.mark.parametrize("mixed_in", [False, True])
@given(seed=st.integers(0, 2**32 - 1))
@examples(max_examples=40)
def test_targets_show_what_the_view_s_pixels_show(mixed_in: bool, seed: int) -> None:
    """White where the mask is, cut out of the view, must look like the target."""
    source, partner = view_of(blob(200, 300, (140, 110), 70)), None
    threshold = 128  # between white and the grey of the padding
    settings = ViewSettings(size=192, hsv=False, jitter_scale=(0.5, 1.5), affine=not mixed_in)
    if mixed_in:
        source, partner = view_of(np.zeros((200, 300), bool)).take([]), source
        threshold = 90
    view = make_view(source, partner, np.random.RandomState(seed), settings)
    boxes = view.clipped()
    # In smaller boxes, half a pixel along the edge is more than the tenth that is allowed below.
    rows = np.flatnonzero((boxes[:, 2:] - boxes[:, :2] > 40).all(axis=1))
    for row, target in zip(rows, mask_targets(view, rows, SIZE), strict=True):
        within = cut_out(np.full_like(view.image, 255), view.boxes[row]) > 254
        seen = cut_out(view.image, view.boxes[row]) > threshold
        both, either = (within & f(seen, target > 0.5) for f in (np.logical_and, np.logical_or))
        assert both.sum() > 0.9 * either.sum()


def test_targets_come_in_the_order_that_is_asked_for() -> None:
    view = view_of(blob(80, 80, (30, 40), 25), np.ones((80, 80), bool))
    targets = mask_targets(view, [1, 0, 1], 7)
    assert (targets[0] > 0.99).all() and (targets[0] == targets[2]).all()
    assert 0.4 < targets[1].mean() < 0.8
    assert mask_targets(view, [], 7).shape == (0, 7, 7)


def test_a_segment_without_mask_has_an_empty_target() -> None:
    view = view_of(np.ones((40, 40), bool))
    view.masks = [Mask(0, 0, 0, 0, b"")]
    assert not mask_targets(view, [0], 7).any()
