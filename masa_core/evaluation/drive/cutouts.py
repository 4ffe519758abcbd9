"""Photographed objects: segments of a folder in SA-1B's format (NAME.jpg beside NAME.json).

Segments have no class. They get one by their shape: upright ones are people, wide ones vehicles,
the rest signs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from masa_core.evaluation.drive.looks import Look
from masa_core.evaluation.drive.render import Pose, Sprite
from masa_core.evaluation.drive.shapes import Action, rectangle
from masa_core.evaluation.drive.traffic import Looks
from masa_core.evaluation.drive.view import View
from masa_core.evaluation.errors import FormatError
from masa_core.evaluation.json_files import Reader, load_json
from masa_core.io import SourceError
from masa_core.io.coco_rle import from_coco_rle
from masa_core.masks import decode_mask

_UPRIGHT, _WIDE = 1.3, 0.8  # height / width from which, and up to which
_SHAPES = {"pedestrian": "upright", "rider": "upright", "motorcyclist": "upright"}
_HEIGHTS_M = {"car": 1.6, "truck": 2.8, "bus": 3.0, "bicycle": 1.1, "motorcycle": 1.2}
_SIGN_M, _PERSON_M = 1.3, 1.75
_WANTED, _FILES = 150, 1500  # segments of each shape that are enough; files looked at at most
_SMALLEST_PX, _SHARES = 40, (0.004, 0.3)  # side, and area as shares of the image's
_SURE = 0.85  # predicted_iou of segments good enough to be an object
_LARGEST_PX = 320
_NEAREST_M = 1.5

Cutout = NDArray[np.uint8]  # (h, w, 4): BGR multiplied by coverage, and coverage


def cutout_looks(folder: Path, rng: np.random.Generator) -> Looks:
    """Makes individuals of the segments of a folder.

    Raises SourceError where it has no segment of use, FormatError for a malformed file.
    """
    shapes: dict[str, list[Cutout]] = defaultdict(list)
    files = sorted(file for file in folder.glob("*.json") if file.with_suffix(".jpg").exists())
    if not files:
        raise SourceError(f"{folder} has no NAME.jpg with its segments in NAME.json")
    for number in rng.permutation(len(files))[:_FILES].tolist():
        for cutout in _objects(files[number]):
            aspect = cutout.shape[0] / cutout.shape[1]
            shape = "upright" if aspect > _UPRIGHT else "wide" if aspect < _WIDE else "square"
            if len(shapes[shape]) < _WANTED:
                shapes[shape].append(cutout)
        if len(shapes) == 3 and all(len(found) == _WANTED for found in shapes.values()):
            break
    if not any(shapes.values()):
        raise SourceError(
            f"no segment of {folder} is whole, of some size and sure (predicted_iou >= {_SURE})"
        )

    def look(kind: str, rng: np.random.Generator) -> Look:
        shape = _SHAPES.get(kind, "square" if kind == "traffic sign" else "wide")
        pool = shapes.get(shape) or next(found for found in shapes.values() if found)
        return PhotoLook(kind, pool[rng.integers(len(pool))], rng)

    return look


class PhotoLook:
    """A cut-out that always faces the camera, and that bends and narrows a little as it moves."""

    def __init__(self, kind: str, cutout: Cutout, rng: np.random.Generator) -> None:
        self.category = "rider" if kind == "motorcyclist" else kind
        base = _HEIGHTS_M.get(kind, _SIGN_M if kind == "traffic sign" else _PERSON_M)
        self.height = base * rng.uniform(0.9, 1.1)
        width = self.height * cutout.shape[1] / cutout.shape[0]
        self.footprint = rectangle(width, min(width, 1.5))
        self._phase = rng.uniform(0, 2 * np.pi)
        self._sizes = [cutout]  # each half as large as the one before
        while min(self._sizes[-1].shape[:2]) >= 16:
            self._sizes.append(np.asarray(cv2.pyrDown(self._sizes[-1]), np.uint8))

    def draw(self, action: Action, pose: Pose, view: View, light: float) -> Sprite | None:
        if pose.z < _NEAREST_M:
            return None
        height_px = view.focal_px * self.height / pose.z
        level = int(np.clip(np.log2(self._sizes[0].shape[0] / height_px), 0, len(self._sizes) - 1))
        cutout = self._sizes[level]
        matrix = self._matrix(cutout, height_px, action, pose, view)
        rows, columns = cutout.shape[:2]
        corners = np.array([(0, 0), (columns, 0), (columns, rows), (0, rows)])
        pixels = corners @ matrix[:, :2].T + matrix[:, 2]
        x1, y1 = np.maximum(np.floor(pixels.min(axis=0)), 0).astype(int).tolist()
        x2, y2 = np.minimum(np.ceil(pixels.max(axis=0)), (view.width, view.height)).astype(int)
        if x2 - x1 < 1 or y2 - y1 < 1:
            return None
        matrix[:, 2] -= (x1, y1)
        size = (int(x2 - x1), int(y2 - y1))
        picture = cv2.warpAffine(cutout, matrix, size, flags=cv2.INTER_LINEAR)
        coverage = np.ascontiguousarray(picture[:, :, 3], np.uint8)
        solid = coverage >= 128
        if not solid.any():
            return None
        colour = np.minimum(picture[:, :, :3] * light, coverage[:, :, None]).astype(np.uint8)
        return Sprite(x1, y1, colour, coverage, solid)

    def _matrix(
        self, cutout: Cutout, height_px: float, action: Action, pose: Pose, view: View
    ) -> NDArray[np.float64]:
        """(2, 3) from pixels of the cut-out to those of the frame."""
        rows, columns = cutout.shape[:2]
        scale = height_px / rows
        sway = 0.04 * np.sin(action.phase) if action.moving else 0.0
        narrow = 1 - 0.12 * (1 + np.sin(0.15 * action.phase + self._phase))
        (foot,) = view.project(np.array([(pose.x, 0.0, pose.z)]))
        shape = np.array([[scale * narrow, -scale * sway], [0, scale]])
        return np.column_stack((shape, foot - shape @ (columns / 2, rows)))


def _objects(file: Path) -> Iterator[Cutout]:
    """The segments of an image that can be objects, largest sides at most `_LARGEST_PX`."""
    content = Reader(file, "", load_json(file))
    image = None
    for segment in content.objects("annotations"):
        if float(segment.get("predicted_iou", 1.0)) < _SURE:
            continue
        try:
            mask = from_coco_rle(segment.field("segmentation", dict))
        except ValueError as error:
            raise FormatError(file, str(error), place=segment.place) from error
        height, width = segment.get("segmentation")["size"]
        if not _is_large(mask.width, mask.height, width, height):
            continue
        if mask.x == 0 or mask.y == 0 or mask.x + mask.width == width:
            continue  # cut by the edge of the image
        pixels = decode_mask(mask).astype(np.uint8)
        if not _is_whole(pixels):
            continue
        if image is None:
            image = cv2.imdecode(np.fromfile(file.with_suffix(".jpg"), np.uint8), cv2.IMREAD_COLOR)
            if image is None or image.shape[:2] != (height, width):
                raise SourceError(f"{file.with_suffix('.jpg')} does not fit {file}")
        crop = image[mask.y : mask.y + mask.height, mask.x : mask.x + mask.width]
        coverage = cv2.erode(pixels, np.ones((3, 3), np.uint8)) * 255  # no rim of what was behind
        cutout = np.dstack((crop * pixels[:, :, None] * (coverage[:, :, None] > 0), coverage))
        scale = min(1.0, _LARGEST_PX / max(mask.width, mask.height))
        small = cv2.resize(cutout, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        yield np.asarray(small, np.uint8)


def _is_large(width: int, height: int, image_width: int, image_height: int) -> bool:
    share = width * height / (image_width * image_height)
    return min(width, height) >= _SMALLEST_PX and _SHARES[0] <= share <= _SHARES[1]


def _is_whole(pixels: NDArray[np.uint8]) -> bool:
    """Whether a segment is one piece that fills its box as objects do."""
    if pixels.mean() < 0.4:
        return False
    _, _, stats, _ = cv2.connectedComponentsWithStats(pixels)
    return bool(stats[1:, cv2.CC_STAT_AREA].max() > 0.95 * pixels.sum())
