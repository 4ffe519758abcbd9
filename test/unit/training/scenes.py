"""Tiny data sets of made-up scenes, with SA-1B's JSON: textured shapes on a textured ground."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from masa_core.masks import encode_mask
from training.sa1b import Segments, write_segments

HEIGHT, WIDTH = 96, 128


def texture(rng: np.random.RandomState, height: int, width: int, cell: int = 6) -> np.ndarray:
    """(height, width, 3) uint8: a colour of its own with soft spots."""
    spots = rng.normal(0, 25, (height // cell + 2, width // cell + 2, 3)).astype(np.float32)
    spots = cv2.resize(spots, (width, height), interpolation=cv2.INTER_CUBIC)
    return (spots + rng.uniform(40, 215, 3)).clip(0, 255).astype(np.uint8)


def scene(
    seed: int, shapes: int = 6, height: int = HEIGHT, width: int = WIDTH
) -> tuple[NDArray[np.uint8], Segments]:
    """An image (height, width, 3) uint8 BGR, and the visible part of each of its shapes.

    A shape that others hide is left out, so there may be fewer. Ids are 1, 2, ...
    """
    rng = np.random.RandomState(seed)
    image = texture(rng, height, width)
    owner = np.zeros((height, width), np.uint8)
    for number in range(1, shapes + 1):
        where = np.zeros((height, width), np.uint8)
        centre = (int(rng.randint(width)), int(rng.randint(height)))
        axes = tuple(int(side) for side in rng.randint(max(height // 12, 2), height // 4, 2))
        if number % 2:
            cv2.ellipse(where, centre, axes, int(rng.randint(180)), 0, 360, 1, -1)
        else:
            corner = (centre[0] + axes[0], centre[1] + axes[1])
            cv2.rectangle(where, centre, corner, 1, -1)
        image[where > 0] = texture(rng, height, width)[where > 0]
        owner[where > 0] = number
    masks = [encode_mask(owner == number) for number in range(1, shapes + 1)]
    masks = [mask for mask in masks if mask.width > 2 and mask.height > 2]
    boxes = [[mask.x, mask.y, mask.x + mask.width, mask.y + mask.height] for mask in masks]
    count = len(masks)
    return image, Segments(
        height,
        width,
        np.array(boxes, np.float32).reshape(-1, 4),
        np.arange(1, count + 1),
        masks,
        np.full(count, 0.9, np.float32),
        ["made up"] * count,
    )


def write_image(path: Path, image: np.ndarray) -> Path:
    """An image file of the kind that its suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
    return path


def write_scene(
    path: Path, seed: int, shapes: int = 6, height: int = HEIGHT, width: int = WIDTH
) -> Path:
    """NAME.jpg (or another suffix) and NAME.json; the path of the image."""
    image, segments = scene(seed, shapes, height, width)
    write_image(path, image)
    write_segments(path.with_suffix(".json"), path.name, segments)
    return path


def write_scenes(
    folder: Path,
    count: int,
    seed: int = 0,
    shapes: int = 6,
    height: int = HEIGHT,
    width: int = WIDTH,
) -> Path:
    """A data set of scene0000.jpg, scene0000.json, ...; the folder."""
    for number in range(count):
        write_scene(folder / f"scene{number:04d}.jpg", seed + number, shapes, height, width)
    return folder
