"""Writers of result lists in the manner of COCO: TAO, and YouTube-VIS or UVO."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from masa_core.evaluation.errors import FormatError
from masa_core.evaluation.json_files import Reader, load_json
from masa_core.evaluation.results import CategoryIds, VideoTracks
from masa_core.io.atomic import write_text
from masa_core.io.coco_rle import to_coco_rle


def write_tao(
    path: Path, videos: Iterable[VideoTracks], truth_path: Path, classes: Sequence[str]
) -> None:
    """TAO's results for a truth file: one entry a box, track ids unique over all videos, from 1.

    Frames are found in the truth by ``file_name`` (or its last part, in the video of the name);
    those that it has not are left out, since only labelled frames are scored. Raises FormatError
    for a video that the truth has not.
    """
    root = Reader(truth_path, "", load_json(truth_path))
    categories = _categories(root, classes)
    video_ids = {
        video.field("name", str): video.field("id", int) for video in root.objects("videos")
    }
    images: dict[tuple[int, str], int] = {}
    for image in root.objects("images"):
        name = image.field("file_name", str)
        key = (image.field("video_id", int), name)
        images[key] = images[key[0], Path(name).name] = image.field("id", int)
    entries: list[dict[str, Any]] = []
    ids: dict[tuple[int, int], int] = {}
    for video in videos:
        video_id = _video_id(video, video_ids, truth_path)
        for frame_name, tracks in zip(video.frame_names, video.frames, strict=True):
            image_id = images.get((video_id, frame_name))
            for row in range(len(tracks)) if image_id is not None else ():
                category = categories.of(int(tracks.labels[row]))
                if category is None:
                    continue
                x1, y1, x2, y2 = tracks.boxes[row].tolist()
                entries.append(
                    {
                        "image_id": image_id,
                        "video_id": video_id,
                        "category_id": category,
                        "bbox": [x1, y1, x2 - x1, y2 - y1],
                        "score": float(tracks.scores[row]),
                        "track_id": ids.setdefault((video_id, int(tracks.ids[row])), len(ids) + 1),
                    }
                )
    write_text(path, json.dumps(entries))
    categories.warn(path)


def write_vis(
    path: Path, videos: Iterable[VideoTracks], truth_path: Path, classes: Sequence[str]
) -> None:
    """YouTube-VIS' results for a truth file: one entry a track, a mask or null for each frame.

    A video's name is the folder of its ``file_names``. The score of a track is the mean over its
    frames, its class the most frequent one, or the only one of the truth. Raises ValueError for
    tracks without masks, FormatError for a video that the truth has not, or has with another
    number of frames.
    """
    root = Reader(truth_path, "", load_json(truth_path))
    categories = _categories(root, classes)
    video_ids, lengths = {}, {}
    for video in root.objects("videos"):
        files = video.field("file_names", list)
        video_id = video.field("id", int)
        video_ids[str(Path(files[0]).parent)] = video_id
        lengths[video_id] = len(files)
    entries: list[dict[str, Any]] = []
    for tracks in videos:
        video_id = _video_id(tracks, video_ids, truth_path)
        if len(tracks.frames) != lengths[video_id]:
            reason = f"has {lengths[video_id]} frames, the results {len(tracks.frames)}"
            raise FormatError(truth_path, reason, place=f"video {tracks.name}")
        entries += _vis_entries(tracks, video_id, categories)
    write_text(path, json.dumps(entries))
    categories.warn(path)


def _vis_entries(
    video: VideoTracks, video_id: int, categories: CategoryIds
) -> Iterable[dict[str, Any]]:
    masks: dict[int, list[Any]] = defaultdict(lambda: [None] * len(video.frames))
    scores, labels = defaultdict(list), defaultdict(list)
    for frame, tracks in enumerate(video.frames):
        frame_masks = tracks.masks or []
        if len(frame_masks) < len(tracks):
            raise ValueError(f"the tracks of video {video.name} have no masks")
        for row, track in enumerate(tracks.ids.tolist()):
            masks[track][frame] = to_coco_rle(frame_masks[row], video.height, video.width)
            scores[track].append(float(tracks.scores[row]))
            labels[track].append(int(tracks.labels[row]))
    for track, segmentations in masks.items():
        category = categories.of(int(np.bincount(labels[track]).argmax()))
        if category is not None:
            yield {
                "video_id": video_id,
                "category_id": category,
                "score": float(np.mean(scores[track])),
                "segmentations": segmentations,
            }


def _categories(root: Reader, classes: Sequence[str]) -> CategoryIds:
    ids = {item.field("name", str): item.field("id", int) for item in root.objects("categories")}
    if len(ids) == 1:  # the data set knows no classes
        ids = dict.fromkeys(classes, *ids.values())
    return CategoryIds(classes, ids)


def _video_id(video: VideoTracks, known: dict[str, int], truth_path: Path) -> int:
    if video.name not in known:
        raise FormatError(truth_path, f"has no video {video.name}")
    return known[video.name]
