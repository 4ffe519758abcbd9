"""Views of segments that share nothing but the object: cut out, changed, laid on other pictures.

Two crops of one image show one object on one background, and an embedding may learn the background.
Here each view has another one, and its own size, pose (a little: turned, stretched, bent), light,
sharpness, noise, something in front, and a box that fits as badly as a detector's.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

import cv2
import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from masa_core.masks import decode_mask
from masa_core.runtime.crops import cut_crops
from training.embedding.form import CROP
from training.index import Index
from training.samples import read_sample

Image = NDArray[np.float32]  # (H, W, 3) BGR 0..255

MIN_SIDE, MAX_SHARE, MIN_FILL = 20, 0.35, 0.35  # px of a box; of the image; of the box
MIN_SCORE = 0.5  # predicted_iou
LONGEST = 192  # px of a cut-out's longer side, which is more than a crop shows
HEIGHTS = (28, 150)  # px of an object in a view
TURN, STRETCH, BEND, FLIP = 0.15, 0.2, 0.06, 0.3  # rad; log; of the size; share
GAIN, CAST, GAMMA = 0.25, 0.08, 0.15  # log, of the object and of the background each
SATURATION, BRIGHTNESS = (-0.9, 0.5), (-0.7, 0.7)  # log of the exponent, of a new colour
OCCLUDED, BLURRED, COMPRESSED, NOISE = 0.3, 0.3, 0.5, 6.0  # shares; standard deviation
LOOSE, TIGHT = 0.06, 0.12  # of the box's sides: how far its edges are out or in


@dataclass(frozen=True, eq=False)
class CutOut:
    """pixels: (h, w, 3) uint8 BGR around a segment. share: (h, w) float32, 1 on the segment."""

    pixels: NDArray[np.uint8]
    share: NDArray[np.float32]


def cut_out(
    index: Index, patterns: Sequence[str], per_image: int, random: RandomState
) -> tuple[list[CutOut], list[NDArray[np.uint8]], list[str]]:
    """At most so many segments of each image, the images, and a line for each that is unusable.

    patterns: of the file names of images that are used, as a shell writes them.
    Segments that people drew (score 1) come first, then those of the teacher, in random order.
    """
    objects: list[CutOut] = []
    images: list[NDArray[np.uint8]] = []
    problems = []
    for number in range(len(index)):
        if not any(fnmatch(index.image_path(number).name, pattern) for pattern in patterns):
            continue
        try:
            image, segments = read_sample(index, number)
        except (OSError, ValueError) as error:
            problems.append(str(error))
            continue
        images.append(image)
        order = random.permutation(len(segments))
        order = order[np.argsort(segments.scores[order] < 1, kind="stable")]
        found = 0
        for row in order:
            if found == per_image:
                break
            mask = segments.masks[row]
            if min(mask.width, mask.height) < MIN_SIDE or segments.scores[row] < MIN_SCORE:
                continue
            inside = decode_mask(mask)
            area = inside.sum()
            if not MIN_FILL * inside.size < area < MAX_SHARE * image.shape[0] * image.shape[1]:
                continue
            pixels = image[mask.y : mask.y + mask.height, mask.x : mask.x + mask.width]
            if pixels.shape[:2] == inside.shape:
                objects.append(_shrunk(pixels, inside.astype(np.float32)))
                found += 1
    return objects, images, problems


def _shrunk(pixels: NDArray[np.uint8], share: NDArray[np.float32]) -> CutOut:
    scale = min(1.0, LONGEST / max(share.shape))
    size = [max(round(side * scale), 1) for side in share.shape[::-1]]
    return CutOut(*(cv2.resize(x, size, interpolation=cv2.INTER_AREA) for x in (pixels, share)))


def recoloured(pixels: NDArray[np.uint8], random: RandomState) -> NDArray[np.uint8]:
    """(h, w, 3) BGR in other colours: hue turned at random, more or less saturated and bright.

    A few videos show few colours; this makes other things out of the same shapes.
    """
    hsv = cv2.cvtColor(pixels, cv2.COLOR_BGR2HSV)
    hue = (hsv[..., 0] + random.randint(180)) % 180
    levels = np.arange(256) / 255
    curves = [levels ** np.exp(random.uniform(*limits)) for limits in (SATURATION, BRIGHTNESS)]
    saturation, value = (
        cv2.LUT(hsv[..., channel], (255 * curve).round().astype(np.uint8))
        for channel, curve in zip((1, 2), curves, strict=True)
    )
    merged = np.stack([hue.astype(np.uint8), saturation, value], axis=-1)
    return np.asarray(cv2.cvtColor(merged, cv2.COLOR_HSV2BGR), np.uint8)


def composites(
    objects: list[CutOut], images: list[NDArray[np.uint8]], views: int, seed: int
) -> Iterator[NDArray[np.float32]]:
    """For each object so many crops, (views, 3, *CROP) float32 BGR."""
    for number, item in enumerate(objects):
        random = RandomState([seed, number])
        yield np.concatenate([composite(item, objects, images, random) for _ in range(views)])


def composite(
    item: CutOut, others: list[CutOut], images: list[NDArray[np.uint8]], random: RandomState
) -> NDArray[np.float32]:
    """(1, 3, *CROP): one view of an object, on one of the images, perhaps behind another object."""
    height = float(np.exp(random.uniform(*np.log(HEIGHTS))))
    pixels, share = _posed(item, height, random)
    rows, columns = np.flatnonzero(share.max(axis=1) > 0.5), np.flatnonzero(share.max(axis=0) > 0.5)
    if not len(rows) or not len(columns):  # thinner than a pixel
        rows, columns = np.arange(share.shape[0]), np.arange(share.shape[1])
    border = int(0.3 * max(share.shape)) + 4
    box = np.array([columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]) + border
    canvas = _background(images, share.shape[0] + 2 * border, share.shape[1] + 2 * border, random)
    canvas = _lit(canvas, random)
    _lay(canvas, _lit(pixels, random), share, border, border)
    if random.rand() < OCCLUDED:
        other = others[random.randint(len(others))]
        _occlude(canvas, box, *_posed(other, height, random), random)
    sides = np.tile(box[2:] - box[:2], 2) * np.array([1, 1, -1, -1])
    box = box + random.uniform(-LOOSE, TIGHT, 4) * sides
    taken = _taken(canvas, height, random)
    limits = np.array([taken.shape[1], taken.shape[0]] * 2)
    return cut_crops(taken, box.clip(0, limits)[None].astype(np.float32), *CROP)


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
    images: list[NDArray[np.uint8]], height: int, width: int, random: RandomState
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
    canvas: Image, box: NDArray[np.int64], pixels: Image, share: Image, random: RandomState
) -> None:
    """Lays an object over the left, right or lower end of the box, by up to two fifths of it."""
    x1, y1, x2, y2 = box
    width = share.shape[1]
    covered = random.uniform(0.05, 0.4)
    aside = random.uniform(-0.3, 0.3)
    left, top = (
        (int(x2 - covered * (x2 - x1)), int(y1 + aside * (y2 - y1))),
        (int(x1 + covered * (x2 - x1)) - width, int(y1 + aside * (y2 - y1))),
        (int(x1 + aside * (x2 - x1)), int(y2 - covered * (y2 - y1))),
    )[random.randint(3)]
    _lay(canvas, pixels, share, left, top)


def _lay(canvas: Image, pixels: Image, share: Image, left: int, top: int) -> None:
    """Blends pixels into the canvas, at a place that may be partly outside of it."""
    rows = slice(max(top, 0), min(top + share.shape[0], canvas.shape[0]))
    columns = slice(max(left, 0), min(left + share.shape[1], canvas.shape[1]))
    if rows.start >= rows.stop or columns.start >= columns.stop:
        return
    within = (
        slice(rows.start - top, rows.stop - top),
        slice(columns.start - left, columns.stop - left),
    )
    part = share[within][..., None]
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
