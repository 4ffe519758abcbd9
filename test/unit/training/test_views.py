"""Views: the published transforms to the pixel, and what training relies on about boxes and ids."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from masa_core.masks import encode_mask
from training.views import View, ViewSettings, make_pair
from training.views.colour import hsv_jitter
from training.views.geometric import affine, crop, fit, flip, large_scale_jitter, pad
from training.views.mixup import mixup
from training.views.pair import make_view

GOLDEN = np.load(Path(__file__).parents[2] / "data" / "golden" / "transforms.npz")
SMALL = ViewSettings(size=160)
SEEDS = (0, 1, 2)
PIXELS = 1e-4  # float32 arithmetic of boxes


def golden_view(name: str) -> View:
    boxes = GOLDEN[f"{name}_boxes"]
    image = GOLDEN[f"{name}_img"]
    masks = [encode_mask(np.ones((2, 2), bool), x=int(x), y=int(y)) for x, y in boxes[:, :2]]
    ids = GOLDEN[f"{name}_ids"].astype(np.int64)
    return View(image, boxes, ids, masks, np.tile(np.eye(3), (len(ids), 1, 1)))


def check(view: View, name: str, levels: int = 0) -> None:
    difference = view.image.astype(int) - GOLDEN[f"{name}.img"]
    assert np.abs(difference).max() <= levels
    np.testing.assert_array_equal(view.ids, GOLDEN[f"{name}.ids"])
    np.testing.assert_allclose(view.boxes, GOLDEN[f"{name}.boxes"], rtol=0, atol=PIXELS)
    assert view.boxes.dtype == np.float32
    assert len(view.masks) == len(view.to_view) == len(view.ids)


@pytest.mark.parametrize("seed", SEEDS)
def test_affine_is_the_reference_s(seed: int) -> None:
    view = affine(golden_view("a"), np.random.RandomState(100 + seed), SMALL)
    check(view, f"affine{seed}", levels=2)  # warps differ between OpenCV 4 and 5
    np.testing.assert_allclose(view.to_view[0], GOLDEN[f"affine{seed}.matrix"], atol=1e-5)


@pytest.mark.parametrize("seed", SEEDS)
def test_mixup_is_the_reference_s(seed: int) -> None:
    rng = np.random.RandomState(200 + seed)
    check(mixup(golden_view("a"), golden_view("b"), rng, SMALL), f"mixup{seed}")


@pytest.mark.parametrize("seed", SEEDS)
def test_colour_jitter_is_the_reference_s(seed: int) -> None:
    view = golden_view("a")
    image = hsv_jitter(view.image, np.random.RandomState(300 + seed), SMALL)
    check(replace(view, image=image), f"hsv{seed}")


@pytest.mark.parametrize("seed", SEEDS)
def test_large_scale_jitter_is_the_reference_s(seed: int) -> None:
    view = large_scale_jitter(golden_view("a"), np.random.RandomState(400 + seed), SMALL)
    check(view, f"resize{seed}")
    factors = view.to_view[0, [0, 1], [0, 1]]
    np.testing.assert_allclose(factors, GOLDEN[f"resize{seed}.scale_factor"])


@pytest.mark.parametrize("seed", SEEDS)
def test_crop_is_the_reference_s(seed: int) -> None:
    check(crop(golden_view("a"), np.random.RandomState(500 + seed), 60), f"crop{seed}")


@pytest.mark.parametrize("seed", SEEDS)
def test_flip_is_the_reference_s(seed: int) -> None:
    assert GOLDEN[f"flip{seed}.flip"]
    check(flip(golden_view("a")), f"flip{seed}")


def test_padding_is_the_reference_s() -> None:
    np.testing.assert_array_equal(pad(golden_view("a"), 160).image, GOLDEN["pad.img"])


def hull(matrices: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """(N, 4) upright hulls of boxes moved by (N, 3, 3) matrices."""
    points = boxes[:, [[0, 1], [2, 1], [0, 3], [2, 3]]]
    points = np.einsum("nij,nkj->nki", matrices[:, :2, :2], points) + matrices[:, None, :2, 2]
    return np.concatenate((points.min(axis=1), points.max(axis=1)), axis=1)


def boxes_in_sources(view: View) -> np.ndarray:
    """(N, 4) boxes of the view's instances in the pixels of the image that each came from."""
    sources = [golden_view(name) for name in "ab"]
    boxes = {i: box for source in sources for i, box in zip(source.ids, source.boxes, strict=True)}
    return np.array([boxes[i] for i in view.ids], np.float64).reshape(-1, 4)


recipes = st.builds(
    ViewSettings,
    size=st.integers(64, 256),
    affine=st.booleans(),
    mixup=st.booleans(),
    hsv=st.just(False),
    jitter=st.booleans(),
    crop=st.booleans(),
    flip=st.booleans(),
)
seeds = st.integers(0, 2**32 - 1)


@given(recipes, seeds)
def test_boxes_follow_the_matrix(settings: ViewSettings, seed: int) -> None:
    view = make_view(golden_view("a"), golden_view("b"), np.random.RandomState(seed), settings)
    assert view.image.shape == (settings.size, settings.size, 3) and view.image.dtype == np.uint8
    moved = hull(view.to_view, boxes_in_sources(view))
    whole = np.full(len(view), not settings.affine) | (view.ids > 100)  # not cut at an edge
    np.testing.assert_allclose(view.boxes[whole], moved[whole], atol=1e-3)
    assert (view.boxes[:, :2] >= moved[:, :2] - 1e-3).all()
    assert (view.boxes[:, 2:] <= moved[:, 2:] + 1e-3).all()
    assert view.inside().all() and view.larger_than(1).all()


@given(recipes, seeds)
def test_an_id_is_one_instance_of_a_view_and_keeps_its_mask(
    settings: ViewSettings, seed: int
) -> None:
    known = {}
    for source in (golden_view("a"), golden_view("b")):
        known.update(zip(source.ids, source.masks, strict=True))
    rng = np.random.RandomState(seed)
    for view in make_pair(golden_view("a"), golden_view("b"), rng, settings):
        assert len(np.unique(view.ids)) == len(view)
        assert [known[i] for i in view.ids] == view.masks


@given(seeds)
@examples(max_examples=20)
def test_views_differ_from_one_another_but_not_from_themselves(seed: int) -> None:
    def pair() -> tuple[View, View]:
        rng = np.random.RandomState(seed)
        return make_pair(golden_view("a"), golden_view("b"), rng, SMALL)

    (key, reference), (again, _) = pair(), pair()
    np.testing.assert_array_equal(key.image, again.image)
    np.testing.assert_array_equal(key.boxes, again.boxes)
    assert (key.image != reference.image).any()
    assert len(key) and len(reference)  # parameters were drawn until both had an instance


def test_flipping_twice_changes_nothing() -> None:
    view = golden_view("a")
    twice = flip(flip(view))
    np.testing.assert_array_equal(twice.image, view.image)
    np.testing.assert_allclose(twice.boxes, view.boxes, atol=PIXELS)
    np.testing.assert_allclose(twice.to_view, view.to_view, atol=1e-9)


def test_transforms_leave_their_source_as_it_was() -> None:
    source, partner = golden_view("a"), golden_view("b")
    make_pair(source, partner, np.random.RandomState(0), replace(SMALL, fog=1.0, noise=1.0))
    for view, name in ((source, "a"), (partner, "b")):
        np.testing.assert_array_equal(view.image, GOLDEN[f"{name}_img"])
        np.testing.assert_array_equal(view.boxes, GOLDEN[f"{name}_boxes"])
        np.testing.assert_array_equal(view.to_view, np.tile(np.eye(3), (len(view), 1, 1)))


def test_with_everything_off_the_image_is_fitted_and_nothing_drawn() -> None:
    off = ViewSettings(
        size=64, affine=False, mixup=False, hsv=False, jitter=False, crop=False, flip=False
    )
    rng = np.random.RandomState(5)
    view = make_view(golden_view("a"), golden_view("b"), rng, off)
    np.testing.assert_array_equal(view.image, pad(fit(golden_view("a"), 64), 64).image)
    assert (view.image[48:] == 114).all() and (view.image[:48] != 114).any()
    np.testing.assert_allclose(view.boxes, golden_view("a").boxes / 2, atol=PIXELS)
    assert rng.random_sample() == np.random.RandomState(5).random_sample()


def test_an_image_is_not_mixed_with_itself() -> None:
    """Two copies of an instance in one view could not be told apart."""
    alone = make_pair(golden_view("a"), None, np.random.RandomState(3), SMALL)
    itself = make_pair(golden_view("a"), golden_view("a"), np.random.RandomState(3), SMALL)
    empty = golden_view("b").take([])
    with_empty = make_pair(golden_view("a"), empty, np.random.RandomState(3), SMALL)
    for view, same, also in zip(alone, itself, with_empty, strict=True):
        np.testing.assert_array_equal(view.image, same.image)
        np.testing.assert_array_equal(view.image, also.image)
        assert len(np.unique(same.ids)) == len(same)


def test_views_are_drawn_again_until_both_have_an_instance() -> None:
    source = golden_view("a").take([4])
    far = replace(SMALL, size=60, mixup=False, jitter_scale=(1.5, 2.5))
    single = [make_view(source, None, np.random.RandomState(seed), far) for seed in range(40)]
    assert sum(not len(view) for view in single) > 10
    for seed in range(40):
        assert all(len(view) for view in make_pair(source, None, np.random.RandomState(seed), far))


def test_hopeless_images_give_empty_views_and_no_endless_loop() -> None:
    source = golden_view("a").take([])
    key, reference = make_pair(source, None, np.random.RandomState(0), SMALL)
    assert len(key) == len(reference) == 0
    assert key.boxes.shape == (0, 4) and key.to_view.shape == (0, 3, 3)
