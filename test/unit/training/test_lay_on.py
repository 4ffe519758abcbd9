"""Segments laid on other images: what is seen there is what the segments say."""

from __future__ import annotations

import numpy as np
import pytest

from masa_core.masks import encode_mask, paste_mask
from training.heads.lay_on import drawn_by_people, lay_on
from training.sa1b import Segments

HEIGHT, WIDTH = 120, 160


def _segments(boxes: list[tuple[int, int, int, int]], scores: list[float]) -> Segments:
    pixels = np.zeros((len(boxes), HEIGHT, WIDTH), bool)
    for inside, (x1, y1, x2, y2) in zip(pixels, boxes, strict=True):
        inside[y1:y2, x1:x2] = True
    return Segments(
        HEIGHT,
        WIDTH,
        np.array(boxes, np.float32),
        np.arange(1, len(boxes) + 1),
        [encode_mask(inside) for inside in pixels],
        np.array(scores, np.float32),
        ["coco"] * len(boxes),
    )


def _picture(grey: int, segments: Segments) -> tuple[np.ndarray, Segments]:
    return np.full((HEIGHT, WIDTH, 3), grey, np.uint8), segments


@pytest.mark.parametrize("seed", range(8))
def test_a_segment_lies_where_its_mask_says_and_hides_what_is_below(seed: int) -> None:
    below = _picture(60, _segments([(0, 0, WIDTH, HEIGHT), (70, 50, 76, 56)], [1.0, 0.7]))
    above = _picture(250, _segments([(40, 30, 90, 100)], [1.0]))
    before = below[0].copy()
    image, segments = lay_on(below, above, 0, np.random.RandomState(seed))
    assert (below[0] == before).all()

    laid = paste_mask(segments.masks[-1], HEIGHT, WIDTH)
    changed = image.astype(int).min(axis=2) != 60
    assert laid.sum() > 50 and (laid <= changed).all()
    assert (changed & ~laid).sum() < 6 * (laid.sum() ** 0.5 + 4)  # a soft rim
    assert segments.scores[-1] == 1 and len(set(segments.ids)) == len(segments)

    seen = [paste_mask(mask, HEIGHT, WIDTH) for mask in segments.masks[:-1]]
    assert not any((mask & laid).any() for mask in seen)
    whole = [paste_mask(mask, HEIGHT, WIDTH) for mask in below[1].masks]
    left = [number for number, mask in enumerate(whole) if (mask & ~laid).sum() * 2 >= mask.sum()]
    assert len(seen) == len(left)
    for mask, number in zip(seen, left, strict=True):
        assert (mask == (whole[number] & ~laid)).all()
    for box, mask in zip(segments.boxes, segments.masks, strict=True):
        assert box.tolist() == [mask.x, mask.y, mask.x + mask.width, mask.y + mask.height]


def test_only_what_people_drew_large_enough_is_cut_out() -> None:
    segments = _segments([(0, 0, 50, 50), (0, 0, 50, 50), (10, 10, 60, 20)], [0.99, 1.0, 1.0])
    assert drawn_by_people(segments).tolist() == [1]
