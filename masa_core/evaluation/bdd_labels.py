"""BDD100K's classes, and truth and results of its videos side by side.

Distractors (``other person``, ``other vehicle``, ``trailer``) become a class of their kind with
``ignored`` set, and older names become today's, before anything is scored.
"""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from masa_core.evaluation.errors import FormatError
from masa_core.evaluation.formats_scalabel import FrameLabels

CLASSES = ("pedestrian", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle")
SUPER_CLASSES = {
    "human": ("pedestrian", "rider"),
    "vehicle": ("car", "truck", "bus", "train"),
    "bike": ("motorcycle", "bicycle"),
}
RENAMED = {
    "bike": "bicycle",
    "caravan": "car",
    "motor": "motorcycle",
    "person": "pedestrian",
    "van": "car",
}
DETECTED_ONLY = ("traffic light", "traffic sign")  # of BDD100K's images, not of its videos
DISTRACTORS = {"other person": "pedestrian", "other vehicle": "car", "trailer": "truck"}

Videos = dict[str, list[FrameLabels]]


@dataclass
class Instances:
    """N labels of one frame. ids, classes: (N,) int64, classes index `CLASSES`.

    crowd, distractor, ignored: (N,) bool, ignored also where distractor is.
    shapes: N boxes x1, y1, x2, y2, or N masks.
    """

    ids: NDArray[np.int64]
    classes: NDArray[np.int64]
    crowd: NDArray[np.bool_]
    distractor: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    shapes: list[Any]

    @property
    def boxes(self) -> NDArray[np.float64]:
        """(N, 4) x1, y1, x2, y2."""
        return np.array(self.shapes, np.float64).reshape(-1, 4)

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: NDArray[np.bool_]) -> Instances:
        """The rows that a (N,) mask selects."""
        return Instances(
            self.ids[rows],
            self.classes[rows],
            self.crowd[rows],
            self.distractor[rows],
            self.ignored[rows],
            [self.shapes[row] for row in np.flatnonzero(rows).tolist()],
        )


@dataclass
class BddVideo:
    """Truth and results of one video, frame by frame."""

    name: str
    truth: list[Instances]
    results: list[Instances]


def pair_videos(
    truth: Videos, results: Videos, truth_path: Path, results_path: Path
) -> list[BddVideo]:
    """The videos of both sides in order of their names.

    A video that the results lack counts as one without tracks. Results of other classes than
    BDD100K's are left out, and lights and signs in the truth, with warnings. Raises FormatError
    for a video that the truth lacks, other frames than the truth's and an unknown class in the
    truth.
    """
    extra = sorted(set(results) - set(truth))
    if extra:
        raise FormatError(results_path, f"holds video {extra[0]}, which {truth_path} does not")
    missing = sorted(set(truth) - set(results))
    if missing:
        names = ", ".join(missing[:3]) + (", ..." if len(missing) > 3 else "")
        message = f"{results_path} has no results for {len(missing)} of {len(truth)} videos"
        warnings.warn(f"{message} ({names}): scored as empty", stacklevel=2)
    _warn_unknown(results, results_path, "results of classes that BDD100K has not")
    videos = []
    for name, truth_frames in truth.items():
        empty = [FrameLabels(frame.name, frame.index) for frame in truth_frames]
        result_frames = results.get(name, empty)
        _check_frames(name, truth_frames, result_frames, results_path)
        videos.append(
            BddVideo(
                name,
                list(_instances(truth_frames, truth_path, results=False)),
                list(_instances(result_frames, results_path, results=True)),
            )
        )
    _warn_unknown(truth, truth_path, "labels that are not tracked in BDD100K")
    return videos


def _warn_unknown(videos: Videos, path: Path, what: str) -> None:
    known = {*CLASSES, *RENAMED, *DISTRACTORS}
    categories = (
        name for frames in videos.values() for frame in frames for name in frame.categories
    )
    unknown = Counter(name for name in categories if name not in known)
    if unknown:
        names = ", ".join(f"{count} of {name}" for name, count in unknown.most_common(3))
        warnings.warn(f"{path}: {what} are left out ({names})", stacklevel=3)


def _check_frames(
    name: str, truth: list[FrameLabels], results: list[FrameLabels], path: Path
) -> None:
    wanted, given = {frame.index for frame in truth}, {frame.index for frame in results}
    if wanted != given:
        missing, extra = sorted(wanted - given), sorted(given - wanted)
        what = f"no frameIndex {missing[0]}" if missing else f"frameIndex {extra[0]} too much"
        reason = (
            f"video {name} has {len(given)} frames where the truth has {len(wanted)} ({what}); "
            "every frame needs an entry, with an empty list of labels where there are no tracks"
        )
        raise FormatError(path, reason)


def _instances(frames: list[FrameLabels], path: Path, results: bool) -> Iterator[Instances]:
    """Labels with classes by number and ids as numbers."""
    numbers = _number_ids(sorted({label_id for frame in frames for label_id in frame.ids}))
    for frame in frames:
        named = [RENAMED.get(category, category) for category in frame.categories]
        known = [name in CLASSES or name in DISTRACTORS for name in named]
        wrong = [
            category
            for category, kept in zip(frame.categories, known, strict=True)
            if not kept and category not in DETECTED_ONLY
        ]
        if wrong and not results:
            reason = f"{wrong[0]!r} in {frame.name} is no class of BDD100K: {', '.join(CLASSES)}"
            raise FormatError(path, reason)
        distractor = np.array([name in DISTRACTORS for name in named], bool)
        classes = [
            CLASSES.index(DISTRACTORS.get(name, name)) if kept else -1
            for name, kept in zip(named, known, strict=True)
        ]
        labels = Instances(
            np.array([numbers[label_id] for label_id in frame.ids], np.int64),
            np.array(classes, np.int64),
            np.array(frame.crowd, bool),
            distractor,
            distractor | np.array(frame.ignored, bool),
            list(frame.shapes),
        )
        yield labels if all(known) else labels[np.array(known, bool)]


def _number_ids(names: list[str]) -> dict[str, int]:
    """Small numbers for the ids of a video. "7" and "007" are one track, as for the evaluators,
    unless the video has an id that is no number."""
    if all(name.isdecimal() for name in names):
        rank = {value: rank for rank, value in enumerate(sorted({int(name) for name in names}))}
        return {name: rank[int(name)] for name in names}
    return {name: number for number, name in enumerate(names)}


def empty_overlapping(videos: list[BddVideo], path: Path) -> None:
    """Drop all results of frames whose masks overlap, as Scalabel does, with a warning."""
    from pycocotools import mask as mask_api

    dropped = 0
    for video in videos:
        for index, frame in enumerate(video.results):
            if len(frame) < 2:
                continue
            areas = mask_api.area(frame.shapes).sum()
            if areas != mask_api.area(mask_api.merge(frame.shapes)):
                video.results[index] = frame[np.zeros(len(frame), bool)]
                dropped += 1
    if dropped:
        message = f"{path} has overlapping masks in {dropped} frames; BDD100K drops their results"
        warnings.warn(message, stacklevel=2)
