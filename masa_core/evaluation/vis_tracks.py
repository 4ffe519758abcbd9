"""YouTube-VIS' JSON (and UVO's, the same): one entry a track, its masks frame by frame.

Truth: ``videos``, ``categories`` and ``annotations`` with ``segmentations``, one mask or null a
frame (polygons, run lengths or COCO's compressed ones), and ``areas``. Results: a list of
``{"video_id", "category_id", "score", "segmentations"}`` with compressed masks or nulls.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pycocotools import mask as mask_api

from masa_core.evaluation.errors import FormatError
from masa_core.evaluation.json_files import Reader, load_json, read_list

Rle = dict[str, Any]

_FARTHEST_PX = 1e6  # of a point of a polygon, from the corner of the frame


@dataclass(frozen=True)
class VisTrack:
    """One track. masks: of each frame, None where it is not seen. area: mean over the frames where
    it is seen, in pixels. score and crowd: of results and of truth."""

    id: int
    video: int
    category: int
    masks: list[Rle | None]
    area: float
    score: float = 1.0
    crowd: bool = False


@dataclass(frozen=True)
class VisTruth:
    """video_sizes: height, width and frames by id. categories: names by id."""

    video_sizes: dict[int, tuple[int, int, int]]
    categories: dict[int, str]
    tracks: list[VisTrack]


def read_vis_truth(path: Path) -> VisTruth:
    """Read a truth file. Raises FileNotFoundError and FormatError with the place in the file."""
    root = Reader(path, "", load_json(path))
    sizes = {}
    for video in root.objects("videos"):
        length = 0  # not known
        if video.get("length") is not None:
            length = video.field("length", int)
        elif video.get("file_names"):
            length = len(video.field("file_names", list))
        size = (video.field("height", int), video.field("width", int), length)
        sizes[video.field("id", int)] = size
    categories = {
        category.field("id", int): category.field("name", str)
        for category in root.objects("categories")
    }
    tracks = [_truth_track(entry, sizes) for entry in root.objects("annotations")]
    return VisTruth(sizes, categories, tracks)


def read_vis_results(path: Path, truth: VisTruth) -> list[VisTrack]:
    """Read a result file for a truth; ids are 1, 2, ... Raises as `read_vis_truth`."""
    content = load_json(path)
    if not isinstance(content, list):
        raise FormatError(path, "is not a list of tracks")
    tracks = []
    for number, entry in enumerate(read_list(path, "results", content), 1):
        masks = _masks(entry, truth.video_sizes)
        seen = [mask for mask in masks if mask is not None]
        areas = mask_api.area(seen) if seen else np.zeros(0)
        video, category = entry.field("video_id", int), entry.field("category_id", int)
        score = entry.number("score")
        tracks.append(VisTrack(number, video, category, masks, _mean_area(areas), score))
    return tracks


def _truth_track(entry: Reader, sizes: dict[int, tuple[int, int, int]]) -> VisTrack:
    areas = [area or 0 for area in entry.field("areas", list)]
    if not all(isinstance(area, int | float) for area in areas):
        raise entry.error("holds what is neither a number nor null", "areas")
    return VisTrack(
        entry.field("id", int),
        entry.field("video_id", int),
        entry.field("category_id", int),
        _masks(entry, sizes),
        _mean_area(np.array(areas, np.float64)),
        crowd=bool(entry.get("iscrowd", 0)),
    )


def _mean_area(areas: Any) -> float:
    """Mean of the areas that are not 0; 0 without any."""
    seen = areas[areas > 0]
    return float(seen.mean()) if len(seen) else 0.0


def _masks(entry: Reader, sizes: dict[int, tuple[int, int, int]]) -> list[Rle | None]:
    video = entry.field("video_id", int)
    if video not in sizes:
        raise entry.error(f"is {video}, which is no video of the truth", "video_id")
    height, width, length = sizes[video]
    values = entry.field("segmentations", list)
    if length and len(values) != length:
        reason = f"has {len(values)} frames, video {video} has {length}"
        raise entry.error(reason, "segmentations")
    return [
        read_mask(entry, f"segmentations[{frame}]", value, height, width) if value else None
        for frame, value in enumerate(values)
    ]


def read_mask(entry: Reader, name: str, value: Any, height: int, width: int) -> Rle:
    """Compressed run lengths of a mask, the field ``name`` of an entry, in any of COCO's forms.

    Raises FormatError for one that is damaged or of another size.
    """
    if isinstance(value, list):
        if not value or not all(_is_polygon(part) for part in value):
            raise entry.error("is no polygon: lists of x, y, x, y, x, y, ... in pixels", name)
        return mask_api.merge(mask_api.frPyObjects(value, height, width))
    rle = Reader(entry.path, f"{entry.place}.{name}", value)
    size = rle.numbers("size", 2).astype(int).tolist()
    if size != [height, width]:
        raise rle.error(f"is {size}, the video's is {[height, width]}", "size")
    counts = value.get("counts")
    if isinstance(counts, list):
        rle.run_lengths()
        return mask_api.frPyObjects({"counts": counts, "size": size}, height, width)
    if not isinstance(counts, str):
        raise rle.error("has no counts: a text, or a list of run lengths")
    rle.run_lengths()
    return {"counts": counts, "size": size}


def _is_polygon(part: Any) -> bool:
    """Three points or more. pycocotools takes what is not finite, and all of the memory."""
    if not isinstance(part, list) or len(part) < 6 or len(part) % 2:
        return False
    numbers = all(isinstance(value, int | float) for value in part)
    return numbers and all(abs(value) <= _FARTHEST_PX for value in part)
