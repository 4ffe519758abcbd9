"""Views of segments that share nothing but the object: cut out, changed, laid on other pictures.

Two crops of one image show one object on one background, and an embedding may learn the background.
Here each view has another one, and its own size, pose (a little: turned, stretched, bent), light,
sharpness, noise, something in front, and a box that fits as badly as a detector's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from masa_core.runtime.crops import cut_crops
from training.embedding.cut_outs import CutOut
from training.embedding.form import CROP

Image = NDArray[np.float32]  # (H, W, 3) BGR 0..255

HEIGHTS = (28, 150)  # px of an object in a view
TURN, STRETCH, BEND, FLIP = 0.15, 0.2, 0.06, 0.3  # rad; log; of the size; share
GAIN, CAST, GAMMA = 0.25, 0.08, 0.15  # log, of the object and of the background each
OCCLUDED, BLURRED, COMPRESSED, NOISE = 0.3, 0.3, 0.5, 6.0  # shares; standard deviation
LOOSE, TIGHT = 0.06, 0.12  # of the box's sides: how far its edges are out or in


@dataclass(frozen=True, eq=False)
class View:
    """crop: (3, *CROP) float32 BGR 0..255. share: CROP float32, 1 where the object is."""

    crop: NDArray[np.float32]
    share: NDArray[np.float32]


def composites(
    objects: Sequence[CutOut], images: Sequence[NDArray[np.uint8]], views: int, seed: int
) -> Iterator[NDArray[np.float32]]:
    """For each object so many crops, (views, 3, *CROP) float32 BGR."""
    for number, item in enumerate(objects):
        random = RandomState([seed, number])
        yield np.stack([composite(item, objects, images, random).crop for _ in range(views)])


def composite(
    item: CutOut,
    others: Sequence[CutOut],
    images: Sequence[NDArray[np.uint8]],
    random: RandomState,
) -> View:
    """One view of an object, on one of the images, perhaps behind another object."""
    height = float(np.exp(random.uniform(*np.log(HEIGHTS))))
    pixels, share = _posed(item, height, random)
    box = _box(share)
    border = int(0.3 * max(share.shape)) + 4
    canvas = _background(images, share.shape[0] + 2 * border, share.shape[1] + 2 * border, random)
    canvas = _lit(canvas, random)
    lay(canvas, _lit(pixels, random), share, border, border)
    shown = np.pad(share, border)
    box = box + border
    if random.rand() < OCCLUDED:
        other = others[random.randint(len(others))]
        _occlude(canvas, shown, box, *_posed(other, height, random), random)
    return _seen(canvas, shown, box, height, random)


def in_place(item: CutOut, random: RandomState) -> View:
    """One view of an object with what lies about it: at some size, in some light, mirrored."""
    box = _box(item.share)
    height = float(np.exp(random.uniform(*np.log(HEIGHTS))))
    scale = min(1.0, height / (box[3] - box[1]))
    size = [max(round(side * scale), 1) for side in item.share.shape[::-1]]
    pixels, share = (
        cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in (item.pixels, item.share)
    )
    if random.rand() < 0.5:
        pixels, share = pixels[:, ::-1], np.ascontiguousarray(share[:, ::-1])
    canvas = _lit(pixels.astype(np.float32), random)
    return _seen(canvas, share, _box(share), height, random)


def _box(share: Image) -> NDArray[np.int64]:
    """(4,) x1 y1 x2 y2 px around an object; around all, where it is thinner than a pixel."""
    rows, columns = np.flatnonzero(share.max(axis=1) > 0.5), np.flatnonzero(share.max(axis=0) > 0.5)
    if not len(rows) or not len(columns):
        return np.array([0, 0, *share.shape[::-1]])
    return np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1])


def _seen(
    canvas: Image, share: Image, box: NDArray[np.int64], height: float, random: RandomState
) -> View:
    """What a camera takes of it, in a box as a detector might give it."""
    sides = np.tile(box[2:] - box[:2], 2) * np.array([1, 1, -1, -1])
    seen = box + random.uniform(-LOOSE, TIGHT, 4) * sides
    seen = seen.clip(0, np.array([canvas.shape[1], canvas.shape[0]] * 2))[None].astype(np.float32)
    crop = cut_crops(_taken(canvas, height, random), seen, *CROP)[0]
    covered = (255 * share).round().astype(np.uint8)[..., None].repeat(3, axis=2)
    return View(crop, cut_crops(covered, seen, *CROP)[0, 0] / 255)


def _posed(item: CutOut, height: float, random: RandomState) -> tuple[Image, Image]:
    """The object `height` px high: turned, stretched, mirrored, bent; pixels and share."""
    rows, columns = item.share.shape
    wide = max(height / rows * columns * np.exp(random.uniform(-STRETCH, STRETCH)), 6.0)
    turn = random.uniform(-TURN, TURN)
    mirror = -1 if random.rand() < FLIP else 1
    size = int(1.3 * wide) + 4, int(1.3 * height) + 4
    scaling = np.diag([mirror * wide / columns, height / rows])
    turning = np.array([[np.cos(turn), -np.sin(turn)], [np.sin(turn), np.cos(turn)]])
    linear = turning @ scaling
    shift = np.array(size) / 2 - linear @ np.array([columns, rows]) / 2
    matrix = np.column_stack((linear, shift))
    pixels, share = item.pixels, item.share
    if rows > 1.5 * height:  # the warp does not average
        pixels, share = (cv2.GaussianBlur(x, (0, 0), 0.4 * rows / height) for x in (pixels, share))
    pixels = cv2.warpAffine(pixels, matrix, size, borderMode=cv2.BORDER_REPLICATE)
    share = cv2.warpAffine(share, matrix, size)
    corners = random.uniform(-BEND, BEND, (4, 4, 2)).astype(np.float32) * [wide, height / 2]
    bend = cv2.resize((random.rand() * corners).astype(np.float32), size)
    x, y = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in size))
    x, y = x + bend[..., 0], y + bend[..., 1]
    pixels = cv2.remap(pixels, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return pixels.astype(np.float32), cv2.remap(share, x, y, cv2.INTER_LINEAR)


def _background(
    images: Sequence[NDArray[np.uint8]], height: int, width: int, random: RandomState
) -> Image:
    """A random piece of a random image, at a random scale."""
    image = images[random.randint(len(images))]
    rows, columns = image.shape[:2]
    scale = min(np.exp(random.uniform(np.log(0.3), np.log(1.2))), rows / height, columns / width)
    piece = max(int(scale * height), 2), max(int(scale * width), 2)
    top = random.randint(max(rows - piece[0], 0) + 1)
    left = random.randint(max(columns - piece[1], 0) + 1)
    found = cv2.resize(image[top : top + piece[0], left : left + piece[1]], (width, height))
    return (found[:, ::-1] if random.rand() < 0.5 else found).astype(np.float32)


def _lit(image: Image, random: RandomState) -> Image:
    gain = np.exp(random.uniform(-GAIN, GAIN) + random.uniform(-CAST, CAST, 3))
    gamma = np.exp(random.uniform(-GAMMA, GAMMA))
    return np.asarray(255 * ((image / 255) ** gamma * gain).clip(0, 1), np.float32)


def _occlude(
    canvas: Image,
    shown: Image,
    box: NDArray[np.int64],
    pixels: Image,
    share: Image,
    random: RandomState,
) -> None:
    """Lays an object over the left, right or lower end of the box, by up to two fifths of it.

    shown: share of the one behind in the canvas, which becomes less.
    """
    x1, y1, x2, y2 = box
    width = share.shape[1]
    covered = random.uniform(0.05, 0.4)
    aside = random.uniform(-0.3, 0.3)
    left, top = (
        (int(x2 - covered * (x2 - x1)), int(y1 + aside * (y2 - y1))),
        (int(x1 + covered * (x2 - x1)) - width, int(y1 + aside * (y2 - y1))),
        (int(x1 + aside * (x2 - x1)), int(y2 - covered * (y2 - y1))),
    )[random.randint(3)]
    lay(canvas, pixels, share, left, top)
    lay(shown, np.zeros_like(share), share, left, top)


def lay(canvas: Image, pixels: Image, share: Image, left: int, top: int) -> None:
    """Blends pixels into the canvas, at a place that may be partly outside of it."""
    rows = slice(max(top, 0), min(top + share.shape[0], canvas.shape[0]))
    columns = slice(max(left, 0), min(left + share.shape[1], canvas.shape[1]))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    within = (
        slice(rows.start - top, rows.stop - top),
        slice(columns.start - left, columns.stop - left),
    )
    part = share[within].reshape(*share[within].shape, *[1] * (canvas.ndim - 2))
    canvas[rows, columns] += part * (pixels[within] - canvas[rows, columns])


def _taken(canvas: Image, height: float, random: RandomState) -> NDArray[np.uint8]:
    """As a camera takes it: blurred, noisy, compressed."""
    if random.rand() < BLURRED:
        canvas = cv2.GaussianBlur(canvas, (0, 0), random.uniform(0.3, 1.2) * height / 80)
    canvas = canvas + random.randn(*canvas.shape[:2], 1) * random.uniform(0, NOISE)
    taken = canvas.clip(0, 255).astype(np.uint8)
    if random.rand() < COMPRESSED:
        quality = [cv2.IMWRITE_JPEG_QUALITY, random.randint(40, 90)]
        taken = cv2.imdecode(cv2.imencode(".jpg", taken, quality)[1], cv2.IMREAD_COLOR)
    return np.asarray(taken, np.uint8)
