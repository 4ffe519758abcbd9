"""TAO's JSON: truth in the manner of COCO with videos and tracks, results as a list of boxes.

A result is ``{"image_id", "category_id", "bbox": [left, top, width, height], "score",
"track_id"}``, with ``video_id`` or without. Images and annotations of the truth name their video;
categories may name others that are ``merged`` into them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from masa_core.evaluation.json_files import Reader, load_json, read_list

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class TaoBoxes:
    """N boxes in the order of the file.

    images, videos, tracks, categories: (N,) int64 ids, categories after merging. boxes: (N, 4)
    float64 left, top, width, height in pixels. scores: (N,) float64, 1 for truth.
    """

    images: Ints
    videos: Ints
    tracks: Ints
    categories: Ints
    boxes: NDArray[np.float64]
    scores: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, rows: Ints) -> TaoBoxes:
        return TaoBoxes(
            self.images[rows],
            self.videos[rows],
            self.tracks[rows],
            self.categories[rows],
            self.boxes[rows],
            self.scores[rows],
        )


@dataclass(frozen=True)
class TaoTruth:
    """video_names: by id, in the order of the file. image_videos, image_frames: video id and frame
    index of each image id. categories: name by id, frequencies: f, c or r by name, or empty.
    merged: category id by the id that it replaces."""

    video_names: dict[int, str]
    image_videos: dict[int, int]
    image_frames: dict[int, int]
    categories: dict[int, str]
    frequencies: dict[str, str]
    merged: dict[int, int]
    boxes: TaoBoxes


def read_tao_truth(path: Path) -> TaoTruth:
    """Read a truth file. Raises FileNotFoundError and FormatError with the place in the file."""
    root = Reader(path, "", load_json(path))
    for track in root.objects("tracks"):  # the evaluators want them, though annotations say all
        track.field("category_id", int)
    videos = {}
    for video in root.objects("videos"):
        videos[video.field("id", int)] = video.field("name", str)
        for name in ("neg_category_ids", "not_exhaustive_category_ids"):
            video.field(name, list)
    image_videos, image_frames = {}, {}
    for image in root.objects("images"):
        image_id, video_id = image.field("id", int), image.field("video_id", int)
        if video_id not in videos:
            raise image.error(f"is {video_id}, which is no video of this file", "video_id")
        image_videos[image_id] = video_id
        image_frames[image_id] = image.field("frame_index", int)
    categories, frequencies, merged = {}, {}, {}
    for category in root.objects("categories"):
        name, category_id = category.field("name", str), category.field("id", int)
        categories[category_id] = name
        if category.get("frequency") is not None:
            frequencies[name] = category.field("frequency", str)
        for other in category.objects("merged") if category.get("merged") else []:
            merged[other.field("id", int)] = category_id
    annotations = root.field("annotations", list)
    boxes = _read_boxes(path, "annotations", annotations, image_videos, merged, scored=False)
    return TaoTruth(videos, image_videos, image_frames, categories, frequencies, merged, boxes)


def read_tao_results(path: Path, truth: TaoTruth) -> TaoBoxes:
    """Read a result file for a truth. Raises as `read_tao_truth`, also for an unknown image."""
    content = load_json(path)
    if not isinstance(content, list):
        content = Reader(path, "", content).field("annotations", list)
    return _read_boxes(path, "results", content, truth.image_videos, truth.merged, scored=True)


def _read_boxes(
    path: Path,
    place: str,
    entries: list[Any],
    image_videos: dict[int, int],
    merged: dict[int, int],
    scored: bool,
) -> TaoBoxes:
    def column(name: str) -> Ints:
        return _column(path, place, entries, lambda entry: entry.field(name, int), name)

    images = column("image_id")
    unknown = ~np.isin(images, np.fromiter(image_videos, np.int64, len(image_videos)))
    if unknown.any():
        row = int(unknown.argmax())
        entry = read_list(path, place, entries)[row]
        raise entry.error(f"is {images[row]}, which is no image of the truth", "image_id")
    videos = np.array([image_videos[image] for image in images.tolist()], np.int64)
    for row, entry in enumerate(entries):
        if entry.get("video_id", videos[row] if scored else None) != int(videos[row]):
            where = f"{place}[{row}]"
            video = entry.get("video_id")
            reason = f"is {video}, but image {images[row]} is of video {videos[row]}"
            raise Reader(path, where, entry).error(reason, "video_id")
    categories = column("category_id")
    for old, new in merged.items():
        categories[categories == old] = new
    boxes = _boxes(path, place, entries)
    scores = np.ones(len(entries))
    if scored:
        scores = _column(path, place, entries, lambda entry: entry.number("score"), "score", float)
    return TaoBoxes(images, videos, column("track_id"), categories, boxes, scores)


def _column(
    path: Path,
    place: str,
    entries: list[Any],
    check: Callable[[Reader], Any],
    name: str,
    kind: type = int,
) -> Any:
    """One field of all entries as an array; ``check`` finds the entry that is not as it should."""
    try:
        values = [entry[name] for entry in entries]
        if all(type(value) is kind for value in values):
            array = np.array(values, np.int64 if kind is int else np.float64)
            if np.isfinite(array).all():
                return array
    except (KeyError, TypeError, IndexError, OverflowError):
        pass
    checked = [check(entry) for entry in read_list(path, place, entries)]
    return np.array(checked, np.int64 if kind is int else np.float64)


def _boxes(path: Path, place: str, entries: list[Any]) -> NDArray[np.float64]:
    try:
        boxes = np.array([entry["bbox"] for entry in entries], np.float64).reshape(-1, 4)
        if len(boxes) != len(entries) or not np.isfinite(boxes).all():
            raise ValueError
    except (KeyError, TypeError, ValueError, OverflowError):
        checked = [entry.numbers("bbox", 4) for entry in read_list(path, place, entries)]
        boxes = np.array(checked, np.float64).reshape(-1, 4)
    negative = (boxes[:, 2:] < 0).any(axis=1)
    if negative.any():
        row = int(negative.argmax())
        entry = read_list(path, place, entries)[row]
        raise entry.error(f"has a negative size: {boxes[row].tolist()}", "bbox")
    return boxes


def limit_per_image(boxes: TaoBoxes, limit: int) -> TaoBoxes:
    """Keep the ``limit`` best boxes of each image, in the order of the scores where some go."""
    if limit <= 0:
        return boxes
    kept = []
    for rows in group_rows(boxes.images):
        if len(rows) > limit:
            rows = rows[np.argsort(-boxes.scores[rows], kind="stable")][:limit]
        kept.append(rows)
    return boxes[np.concatenate(kept)] if kept else boxes


def group_rows(values: Ints) -> list[Ints]:
    """Rows of equal values together, groups in the order in which their values first come."""
    if not len(values):
        return []
    _, first, inverse = np.unique(values, return_index=True, return_inverse=True)
    order = np.argsort(inverse.ravel(), kind="stable")
    groups = np.split(order, np.cumsum(np.bincount(inverse.ravel()))[:-1])
    return [groups[index] for index in np.argsort(first)]
