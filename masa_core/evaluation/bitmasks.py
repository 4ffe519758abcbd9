"""BDD100K's bitmasks: one RGBA PNG a frame, ``VIDEO/FRAME.png``.

R is the class from 1, G the attributes ``truncated << 3 | occluded << 2 | crowd << 1 | ignored``,
B and A the instance's id, ``B << 8 | A``. 0 is background. Masks of a frame cannot overlap.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from masa_core.evaluation.bdd_labels import CLASSES
from masa_core.evaluation.errors import FormatError
from masa_core.evaluation.formats_scalabel import FrameLabels

_CROWD, _IGNORED = 2, 1


def holds_bitmasks(path: Path) -> bool:
    """Whether a path is a folder of videos with PNG files."""
    return path.is_dir() and next(path.glob("*/*.png"), None) is not None


def read_bitmasks(path: Path) -> dict[str, list[FrameLabels]]:
    """Videos by name with the masks of their frames, in order of the file names.

    Raises FormatError for a file that is no RGBA PNG of 8 bits and for an instance of two classes.
    """
    videos = {}
    for folder in sorted(item for item in path.iterdir() if item.is_dir()):
        files = sorted(folder.glob("*.png"))
        if files:
            videos[folder.name] = [_read_frame(file, index) for index, file in enumerate(files)]
    return videos


def _read_frame(path: Path, index: int) -> FrameLabels:
    from pycocotools import mask as mask_api

    image = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    if image is None or image.ndim != 3 or image.shape[2] != 4 or image.dtype != np.uint8:
        raise FormatError(path, "is no PNG with 8 bits of red, green, blue and alpha each")
    # OpenCV's order: red, the class, comes third
    blue, attributes, category, alpha = np.moveaxis(image.astype(np.int64), 2, 0)
    instance = blue << 8 | alpha
    key = instance << 16 | attributes << 8 | category
    keys = [value for value in np.unique(key).tolist() if value >> 16]
    ids = [value >> 16 for value in keys]
    for before, after in pairwise(ids):
        if before == after:
            raise FormatError(path, f"instance {after} has pixels of two classes or attributes")
    known = [value for value in keys if value & 255]  # class 0 is how empty results are marked
    for value in known:
        if value & 255 > len(CLASSES):
            raise FormatError(path, f"instance {value >> 16} has class {value & 255} of 8")
    return FrameLabels(
        path.stem,
        index,
        [str(value >> 16) for value in known],
        [CLASSES[(value & 255) - 1] for value in known],
        [bool(value >> 8 & _CROWD) for value in known],
        [bool(value >> 8 & _IGNORED) for value in known],
        [mask_api.encode(np.asfortranarray(key == value, np.uint8)) for value in known],
    )
