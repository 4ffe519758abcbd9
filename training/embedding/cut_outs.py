"""Segments cut out of their images, and other colours for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

import cv2
import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray

from masa_core.masks import decode_mask
from training.index import Index
from training.samples import Picture, read_sample

MIN_SIDE, MAX_SHARE, MIN_FILL = 20, 0.35, 0.35  # px of a box; of the image; of the box
MIN_SCORE = 0.5  # predicted_iou
LONGEST = 192  # px of a cut-out's longer side, which is more than a crop shows
AROUND = 0.25  # of a segment's longer side: how much of the image about it is kept
SATURATION, BRIGHTNESS = (-0.9, 0.5), (-0.7, 0.7)  # log of the exponent, of a new colour


@dataclass(frozen=True, eq=False)
class CutOut:
    """pixels: (h, w, 3) uint8 BGR around a segment. share: (h, w) float32, 1 on the segment."""

    pixels: NDArray[np.uint8]
    share: NDArray[np.float32]


def read_samples(index: Index, patterns: Sequence[str]) -> tuple[list[Picture], list[str]]:
    """Images with their segments, and a line for each that is unusable.

    patterns: of the file names of images that are used, as a shell writes them.
    """
    samples, problems = [], []
    for number in range(len(index)):
        if any(fnmatch(index.image_path(number).name, pattern) for pattern in patterns):
            try:
                samples.append(read_sample(index, number))
            except (OSError, ValueError) as error:
                problems.append(str(error))
    return samples, problems


def cut_out(samples: Sequence[Picture], per_image: int, random: RandomState) -> list[CutOut]:
    """At most so many segments of each image, alone.

    Segments that people drew (score 1) come first, then those of the teacher, in random order.
    """
    objects: list[CutOut] = []
    for image, segments in samples:
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
    return objects


def cut_out_in_place(samples: Sequence[Picture]) -> list[CutOut]:
    """The segments that people drew, with what lies about them in their images."""
    objects = []
    for image, segments in samples:
        for mask, score in zip(segments.masks, segments.scores, strict=True):
            if score < 1 or min(mask.width, mask.height) < MIN_SIDE:
                continue
            share = np.zeros(image.shape[:2], np.float32)
            inside = slice(mask.y, mask.y + mask.height), slice(mask.x, mask.x + mask.width)
            share[inside] = decode_mask(mask)
            border = int(AROUND * max(mask.width, mask.height)) + 2
            shown = tuple(slice(max(s.start - border, 0), s.stop + border) for s in inside)
            objects.append(_shrunk(image[shown], share[shown]))
    return objects


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
