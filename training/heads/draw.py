"""Views for training heads: images cut, scaled and mirrored at random, with their segments."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from masa_core.io.image_files import read_image
from masa_core.masks import decode_mask
from training.heads.lay_on import drawn_by_people, lay_on
from training.sa1b import Segments, read_segments
from training.samples import Picture

SIDE = 416  # px of a view: as many pixels as the default bundle's input has
GRID, MARGIN = 64, 0.3  # cells of a mask a side; it covers its box and this much of it all round
_MAX_SEGMENTS = 48  # of a view; those of the greatest score
_MIN_SIDE_PX, _MIN_SEEN = 6, 0.5  # of a segment in a view: side of its box, part of its area
_ALONE, _TILED = (0.7, 1.8), (0.35, 0.9)  # how large an image is drawn; 1 is as the bundle would
_BACKGROUND = (104, 116, 124)  # where no image is
_LAID_ON, _AT_MOST = 0.6, 3  # share of images that get segments of others laid on, and how many

Tile = tuple[int, int, int, int]  # x1 y1 x2 y2, px of the view
SegmentRow = tuple[Path, int]  # an image, and the row of one of its segments


@dataclass(eq=False)
class DrawnView:
    """A (SIDE, SIDE, 3) uint8 BGR image and K segments in it.

    boxes: (K, 4) float32 x1 y1 x2 y2 px. masks: (K, GRID, GRID) uint8, 255 where the segment is,
    over the box grown by MARGIN. scores: (K,) float32 in 0..1, `predicted_iou`.
    """

    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    masks: NDArray[np.uint8]
    scores: NDArray[np.float32]


def drawn_segments(images: Sequence[Path]) -> list[SegmentRow]:
    """The segments that people drew in some images, and that are large enough to be laid on."""
    return [(path, row) for path in images for row in drawn_by_people(_source(path)[1])]


def draw_view(
    images: Sequence[Path],
    row: int,
    rng: np.random.RandomState,
    laid_on: Sequence[SegmentRow] = (),
) -> DrawnView:
    """The image of a row, alone, or in one of four tiles, where small ones are to be found.

    laid_on: what may be laid on the images before.
    """
    tiles: list[Tile] = [(0, 0, SIDE, SIDE)]
    zooms = _ALONE
    if rng.rand() < 0.5:
        x, y = (int(v) for v in rng.uniform(0.3, 0.7, 2) * SIDE)
        tiles = [(0, 0, x, y), (x, 0, SIDE, y), (0, y, x, SIDE), (x, y, SIDE, SIDE)]
        zooms = _TILED
    canvas = np.zeros((SIDE, SIDE, 3), np.uint8)
    found: list[tuple[NDArray[np.float32], NDArray[np.uint8], float]] = []
    for tile in tiles:
        image, segments = _picture(images[row], laid_on, rng)
        to_view = _placement(segments.height, segments.width, tile, zooms, rng)
        canvas[tile[1] : tile[3], tile[0] : tile[2]] = _drawn(image, to_view, tile)
        found += _seen(segments, to_view, tile)
        row = rng.randint(len(images))
    scores = np.array([score for _, _, score in found], np.float32)
    order = rng.permutation(len(found))
    order = order[np.argsort(-scores[order], kind="stable")][:_MAX_SEGMENTS]
    return DrawnView(
        _in_other_light(canvas, rng),
        np.array([found[i][0] for i in order], np.float32).reshape(-1, 4),
        np.array([found[i][1] for i in order], np.uint8).reshape(-1, GRID, GRID),
        scores[order],
    )


def _picture(path: Path, laid_on: Sequence[SegmentRow], rng: np.random.RandomState) -> Picture:
    picture = _source(path)
    if laid_on and rng.rand() < _LAID_ON:
        for number in rng.randint(len(laid_on), size=rng.randint(_AT_MOST) + 1):
            other, row = laid_on[number]
            picture = lay_on(picture, _source(other), row, rng)
    return picture


@lru_cache(maxsize=4096)
def _source(path: Path) -> Picture:
    return read_image(path), read_segments(path.with_suffix(".json"))


def _placement(
    height: int, width: int, tile: Tile, zooms: tuple[float, float], rng: np.random.RandomState
) -> NDArray[np.float64]:
    """(2, 3) from px of an image, counted from its corner, to px of the view."""
    scale = (SIDE * SIDE / (height * width)) ** 0.5 * np.exp(rng.uniform(*np.log(zooms)))
    across, down = scale * np.exp(rng.uniform(-0.1, 0.1)), scale
    # A large image covers the tile, a small one lies within it.
    x = rng.uniform(*sorted((tile[0], tile[2] - width * across)))
    y = rng.uniform(*sorted((tile[1], tile[3] - height * down)))
    if rng.rand() < 0.5:
        return np.array([[-across, 0, x + width * across], [0, down, y]])
    return np.array([[across, 0, x], [0, down, y]])


def _drawn(image: NDArray[np.uint8], to_view: NDArray[np.float64], tile: Tile) -> NDArray[np.uint8]:
    """What a tile shows of an image."""
    matrix = to_view - [[0, 0, tile[0]], [0, 0, tile[1]]]
    scale = min(abs(matrix[0, 0]), matrix[1, 1])
    if scale < 0.75:  # bilinear sampling would leave pixels out
        height, width = image.shape[:2]
        small = max(int(width * scale * 1.25), 1), max(int(height * scale * 1.25), 1)
        image = cv2.resize(image, small, interpolation=cv2.INTER_AREA)
        matrix = matrix * [[width / small[0], height / small[1], 1]]
    size = tile[2] - tile[0], tile[3] - tile[1]
    return cv2.warpAffine(image, _of_middles(matrix), size, borderValue=_BACKGROUND)


def _of_middles(matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same for OpenCV, which counts from the middle of the first pixel."""
    shift = matrix[:, :2].sum(axis=1, keepdims=True) / 2 - 0.5
    return matrix + np.concatenate((np.zeros((2, 2)), shift), axis=1)


def _seen(
    segments: Segments, to_view: NDArray[np.float64], tile: Tile
) -> Iterator[tuple[NDArray[np.float32], NDArray[np.uint8], float]]:
    """Box, mask and score of each segment of which a tile shows enough."""
    (across, _, left), (_, down, top) = to_view
    # The tile in px of the image.
    x = np.sort((np.array([tile[0], tile[2]]) - left) / across)
    y = np.sort((np.array([tile[1], tile[3]]) - top) / down)
    for mask, score in zip(segments.masks, segments.scores, strict=True):
        if min(mask.width * abs(across), mask.height * down) < _MIN_SIDE_PX:
            continue
        x1, x2 = (round(float(v)) for v in np.clip(x - mask.x, 0, mask.width))
        y1, y2 = (round(float(v)) for v in np.clip(y - mask.y, 0, mask.height))
        whole = decode_mask(mask)
        crop = whole[y1:y2, x1:x2]
        columns, rows = np.flatnonzero(crop.any(axis=0)), np.flatnonzero(crop.any(axis=1))
        if not len(rows) or crop.sum() < _MIN_SEEN * whole.sum():
            continue
        corners = np.array([[columns[0], rows[0]], [columns[-1] + 1, rows[-1] + 1]], float)
        corners = (corners + [mask.x + x1, mask.y + y1]) * [across, down] + [left, top]
        box = np.concatenate((corners.min(axis=0), corners.max(axis=0)))
        if min(box[2:] - box[:2]) < _MIN_SIDE_PX:
            continue
        to_crop = to_view + np.array([[0, 0, (mask.x + x1) * across], [0, 0, (mask.y + y1) * down]])
        yield box.astype(np.float32), _grid(crop, to_crop, box), float(score)


def _grid(
    crop: NDArray[np.bool_], to_view: NDArray[np.float64], box: NDArray[np.float64]
) -> NDArray[np.uint8]:
    """(GRID, GRID) share of cells that a mask covers, of 255; sampled twice as finely."""
    sides = box[2:] - box[:2]
    cells = 2 * GRID / ((1 + 2 * MARGIN) * sides)  # a px
    matrix = to_view.copy()
    matrix[:, 2] -= box[:2] - MARGIN * sides
    fine = cv2.warpAffine(
        crop.astype(np.uint8) * 255, _of_middles(matrix * cells[:, None]), (2 * GRID, 2 * GRID)
    )
    return cv2.resize(fine, (GRID, GRID), interpolation=cv2.INTER_AREA)


def _in_other_light(image: NDArray[np.uint8], rng: np.random.RandomState) -> NDArray[np.uint8]:
    """Brightness, contrast and colour a little off; sometimes blurred, or with noise."""
    gains = np.exp(rng.uniform(-0.35, 0.35)) * np.exp(rng.uniform(-0.08, 0.08, 3))
    gamma = np.exp(rng.uniform(-0.3, 0.3))
    table = (np.arange(256)[:, None] / 255) ** gamma * gains * 255
    image = cv2.LUT(image, table.clip(0, 255).astype(np.uint8).reshape(1, 256, 3))
    if rng.rand() < 0.2:
        image = cv2.GaussianBlur(image, (0, 0), rng.uniform(0.4, 1.2))
    if rng.rand() < 0.2:
        noise = rng.normal(0, rng.uniform(2, 10), image.shape)
        image = (image + noise).clip(0, 255).astype(np.uint8)
    return image
