"""What is wrong with one image and its segments."""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from masa_core.io.image_files import read_image
from masa_core.masks import mask_boxes
from training.sa1b import Segments, read_segments

# Kinds of problems, in the order in which they are told.
ERRORS = (
    "image cannot be read",
    "JSON cannot be read",
    "image and JSON differ in size",
    "box does not surround its mask",
    "no segment that can be used",
)
WARNINGS = (
    "image without JSON",
    "JSON without image",
    "left out for an image of the same name",
    "file_name is another",
    "segments left out",
    "few segments",
    "small image",
    "mostly huge segments",
    "the same image twice",
)
_FEW = 3  # segments of an image: fewer, and there is hardly a negative to learn from
_SMALL_PX = 64
_HUGE = 0.5  # part of the image
_BOX_PX = 2.0  # by which a box may miss its mask: rounding, and SA-1B's last pixel
Problem = tuple[str, str]  # kind, sentence


@dataclass(frozen=True, eq=False)
class Facts:
    """Of an image that can be used. size: height, width px. digest: of the image file.

    sides: (N,) px, square root of each box's area. shares: (N,) part of the image in the box.
    scores: (N,). sources: number of segments by source. seconds: to read image and segments.
    """

    size: tuple[int, int]
    digest: bytes
    sides: NDArray[np.float32]
    shares: NDArray[np.float32]
    scores: NDArray[np.float32]
    sources: Counter[str]
    seconds: float


def check_image(image_path: Path, json_path: Path) -> tuple[list[Problem], Facts | None]:
    """Its problems, and what is to be known of it where it can be used."""
    problems: list[Problem] = []
    image = segments = None
    start = time.perf_counter()
    try:
        image = read_image(image_path)
    except (OSError, ValueError) as error:
        problems.append(("image cannot be read", str(error)))
    try:
        segments = read_segments(json_path)
    except (OSError, ValueError) as error:
        problems.append(("JSON cannot be read", str(error)))
    seconds = time.perf_counter() - start
    if image is None or segments is None:
        return problems, None
    height, width = image.shape[:2]
    if (height, width) != (segments.height, segments.width):
        text = f"{image_path}: {width}x{height} px, JSON: {segments.width}x{segments.height} px"
        return [("image and JSON differ in size", text)], None
    problems += _of_file(image_path, json_path, len(segments))
    if not len(segments):
        return [*problems, ("no segment that can be used", str(json_path))], None
    sides = np.prod(segments.boxes[:, 2:] - segments.boxes[:, :2], axis=1) ** 0.5
    shares = sides**2 / (height * width)
    problems += _of_segments(json_path, segments, shares)
    if min(height, width) < _SMALL_PX:
        problems.append(("small image", f"{image_path}: {width}x{height} px"))
    digest = hashlib.sha256(image_path.read_bytes()).digest()[:16]
    sources = Counter(segments.sources)
    facts = Facts((height, width), digest, sides, shares, segments.scores, sources, seconds)
    return problems, facts


def _of_file(image_path: Path, json_path: Path, used: int) -> list[Problem]:
    content = json.loads(json_path.read_bytes())
    problems = []
    name = content["image"].get("file_name", image_path.name)
    if Path(str(name)).name != image_path.name:
        text = f"{json_path} is of {name}, and lies beside {image_path.name}"
        problems.append(("file_name is another", text))
    lost = len(content["annotations"]) - used
    if lost:
        text = f"{json_path}: {lost} without area, under a pixel, or outside of the image"
        problems.append(("segments left out", text))
    return problems


def _of_segments(path: Path, segments: Segments, shares: NDArray[np.float32]) -> list[Problem]:
    problems = []
    if len(segments) < _FEW:
        problems.append(("few segments", f"{path}: {len(segments)}"))
    huge = int((shares > _HUGE).sum())
    if huge > len(segments) / 2:
        text = f"{path}: {huge} of {len(segments)} boxes cover over {_HUGE:.0%} of the image"
        problems.append(("mostly huge segments", text))
    with_mask = [row for row, mask in enumerate(segments.masks) if mask.width]
    # Without a mask there is only the image to tell that w, h are not x2, y2.
    size = np.array([segments.width, segments.height] * 2)
    limits = segments.boxes.clip(0, size)
    limits[with_mask] = mask_boxes([segments.masks[row] for row in with_mask])
    misses = np.abs(segments.boxes - limits).max(axis=1)
    wrong = np.flatnonzero(misses > _BOX_PX)
    if wrong.size:
        row = int(wrong[misses[wrong].argmax()])
        text = (
            f"{path}: {wrong.size} of {len(segments)}, id {segments.ids[row]} by "
            f"{misses[row]:.0f} px; is `bbox` x, y, width, height?"
        )
        problems.append(("box does not surround its mask", text))
    return problems
