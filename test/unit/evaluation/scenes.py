"""Small random scenes, and how each protocol has them on disk."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from masa_core.io.coco_rle import to_coco_rle
from masa_core.masks import encode_mask

HEIGHT, WIDTH = 120, 160
CLASSES = ("pedestrian", "car")  # every protocol with classes has these


@dataclass(frozen=True)
class Box:
    track: int
    label: str
    x: float
    y: float
    width: float
    height: float
    score: float = 0.9


Frames = list[list[Box]]


@dataclass
class Scene:
    """Truth and results of each video, frame by frame."""

    truth: dict[str, Frames]
    results: dict[str, Frames]

    def map_results(self, change: Callable[[list[Box]], list[Box]]) -> Scene:
        changed = {
            name: [change(frame) for frame in frames] for name, frames in self.results.items()
        }
        return Scene(self.truth, changed)


def random_scene(seed: int) -> Scene:
    """Objects that move, come and go; results that miss, jitter, err in class and switch ids.

    Boxes are at least 30 high, as KITTI leaves out smaller ones, and no two coordinates are equal.
    """
    chance = random.Random(seed)
    truth, results = {}, {}
    for number in range(chance.randint(1, 2)):
        name, length = f"{number:04d}", chance.randint(1, 6)
        truth[name] = [[] for _ in range(length)]
        results[name] = [[] for _ in range(length)]
        for track in range(1, chance.randint(2, 6)):
            label = chance.choice(CLASSES)
            x, y = chance.uniform(0, 90), chance.uniform(0, 60)
            width, height = chance.uniform(25, 50), chance.uniform(32, 50)
            shown = track + 10
            for frame in range(length):
                x, y = x + chance.uniform(-3, 3), y + chance.uniform(-3, 3)
                if chance.random() < 0.2:
                    continue
                truth[name][frame].append(Box(track, label, x, y, width, height))
                if chance.random() < 0.2:
                    shown = track + 10 * chance.randint(2, 5)
                if chance.random() < 0.85:
                    guess = label if chance.random() < 0.8 else chance.choice(CLASSES)
                    dx, dy = chance.uniform(-9, 9), chance.uniform(-9, 9)
                    score = chance.uniform(0.1, 1)
                    found = Box(shown, guess, x + dx, y + dy, width, height, score)
                    results[name][frame].append(found)
    return Scene(truth, results)


def write_mot(scene: Scene, folder: Path) -> tuple[Path, Path]:
    truth, results = folder / "gt", folder / "results"
    results.mkdir(parents=True)
    for name, frames in scene.truth.items():
        (truth / name / "gt").mkdir(parents=True)
        length = f"[Sequence]\nseqLength={len(frames)}\n"
        (truth / name / "seqinfo.ini").write_text(length)
        (truth / name / "gt" / "gt.txt").write_text(_mot(frames, "1,1,1"))
        (results / f"{name}.txt").write_text(_mot(scene.results[name], "0.9,-1,-1,-1"))
    return truth, results


def _mot(frames: Frames, tail: str) -> str:
    return "".join(
        f"{number},{box.track},{box.x!r},{box.y!r},{box.width!r},{box.height!r},{tail}\n"
        for number, frame in enumerate(frames, 1)
        for box in frame
    )


def write_kitti(scene: Scene, folder: Path) -> tuple[Path, Path]:
    paths = folder / "truth", folder / "results"
    for path, videos in zip(paths, (scene.truth, scene.results), strict=True):
        path.mkdir(parents=True)
        for name, frames in videos.items():
            lines = [
                f"{number} {box.track} {box.label.capitalize()} 0 0 -10 {box.x!r} {box.y!r} "
                f"{box.x + box.width!r} {box.y + box.height!r} -1 -1 -1 -1 -1 -1 -1 {box.score}\n"
                for number, frame in enumerate(frames)
                for box in frame
            ]
            (path / f"{name}.txt").write_text("".join(lines))
    return paths


def write_scalabel(scene: Scene, folder: Path) -> tuple[Path, Path]:
    paths = folder / "truth.json", folder / "results.json"
    folder.mkdir(parents=True, exist_ok=True)
    for path, videos in zip(paths, (scene.truth, scene.results), strict=True):
        frames = [
            {
                "name": f"{name}-{index}.jpg",
                "videoName": name,
                "frameIndex": index,
                "labels": [_scalabel(box) for box in boxes],
            }
            for name, video in videos.items()
            for index, boxes in enumerate(video)
        ]
        path.write_text(json.dumps({"frames": frames, "config": None}))
    return paths


def _scalabel(box: Box) -> dict[str, Any]:
    edges = {"x1": box.x, "y1": box.y, "x2": box.x + box.width, "y2": box.y + box.height}
    return {"id": str(box.track), "category": box.label, "score": box.score, "box2d": edges}


def write_tao(scene: Scene, folder: Path) -> tuple[Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    categories = [
        {"id": number, "name": name, "frequency": frequency}
        for number, (name, frequency) in enumerate(zip(CLASSES, "fr", strict=True), 1)
    ]
    videos, images, tracks = [], [], []
    for video_id, (name, frames) in enumerate(scene.truth.items(), 1):
        nothing: dict[str, list[int]] = {
            "neg_category_ids": [],
            "not_exhaustive_category_ids": [],
        }
        videos.append({"id": video_id, "name": f"val/{name}", **nothing})
        for index in range(len(frames)):
            image = {"id": video_id * 100 + index, "video_id": video_id, "frame_index": index}
            images.append({**image, "file_name": f"val/{name}/{index:04d}.jpg"})
        tracks += [
            {"id": video_id * 1000 + box.track, "category_id": 1, "video_id": video_id}
            for frame in frames
            for box in frame
        ]
    truth = {
        "videos": videos,
        "images": images,
        "tracks": tracks,
        "categories": categories,
        "annotations": _tao(scene.truth),
    }
    paths = folder / "truth.json", folder / "results.json"
    paths[0].write_text(json.dumps(truth))
    paths[1].write_text(json.dumps(_tao(scene.results)))
    return paths


def _tao(videos: dict[str, Frames]) -> list[dict[str, Any]]:
    return [
        {
            "image_id": video_id * 100 + index,
            "video_id": video_id,
            "category_id": CLASSES.index(box.label) + 1,
            "bbox": [box.x, box.y, box.width, box.height],
            "score": box.score,
            "track_id": video_id * 1000 + box.track,
        }
        for video_id, frames in enumerate(videos.values(), 1)
        for index, frame in enumerate(frames)
        for box in frame
    ]


def write_vis(scene: Scene, folder: Path) -> tuple[Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    videos = [
        {
            "id": video_id,
            "height": HEIGHT,
            "width": WIDTH,
            "length": len(frames),
            "file_names": [f"{name}/{index:05d}.jpg" for index in range(len(frames))],
        }
        for video_id, (name, frames) in enumerate(scene.truth.items(), 1)
    ]
    annotations = _vis(scene.truth)
    for number, annotation in enumerate(annotations, 1):
        masks = annotation["segmentations"]
        areas = [None if mask is None else mask.pop("area") for mask in masks]
        annotation |= {"id": number, "iscrowd": 0, "areas": areas}
    results = _vis(scene.results)
    for result in results:
        for mask in result["segmentations"]:
            mask and mask.pop("area")
    categories = [{"id": number, "name": name} for number, name in enumerate(CLASSES, 1)]
    truth = {"videos": videos, "categories": categories, "annotations": annotations}
    paths = folder / "truth.json", folder / "results.json"
    paths[0].write_text(json.dumps(truth))
    paths[1].write_text(json.dumps(results))
    return paths


def _vis(videos: dict[str, Frames]) -> list[dict[str, Any]]:
    entries = []
    for video_id, frames in enumerate(videos.values(), 1):
        tracks: dict[int, dict[str, Any]] = {}
        for index, frame in enumerate(frames):
            for box in frame:
                start = {"video_id": video_id, "category_id": CLASSES.index(box.label) + 1}
                start |= {"score": box.score, "segmentations": [None] * len(frames)}
                entry = tracks.setdefault(box.track, start)
                pixels = box_pixels(box)
                rle = to_coco_rle(encode_mask(pixels), HEIGHT, WIDTH)
                entry["segmentations"][index] = {**rle, "area": int(pixels.sum())}
        entries += tracks.values()
    return entries


def box_pixels(box: Box) -> np.ndarray:
    """The pixels of a frame that a box covers."""
    pixels = np.zeros((HEIGHT, WIDTH), bool)
    top, left = max(int(box.y), 0), max(int(box.x), 0)
    pixels[top : int(box.y + box.height), left : int(box.x + box.width)] = True
    return pixels


WRITERS: dict[str, Callable[[Scene, Path], tuple[Path, Path]]] = {
    "mot": write_mot,
    "kitti": write_kitti,
    "bdd_mot": write_scalabel,
    "tao": write_tao,
    "ovmot": write_tao,
    "ytvis": write_vis,
    "uvo": write_vis,
}
