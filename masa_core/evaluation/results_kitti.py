"""Writer of KITTI's tracking labels."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from masa_core.evaluation.results import CategoryIds, VideoTracks
from masa_core.io.atomic import AtomicText

_TYPES = ("Car", "Van", "Truck", "Pedestrian", "Cyclist", "Tram")
_NAMES = {name.lower(): number for number, name in enumerate(_TYPES)} | {"person": 3}
_UNKNOWN = "-1 -1 -10"  # truncated, occluded, alpha
_NO_3D = "-1000 -1000 -1000 -10 -1 -1 -1"  # size, place, rotation


def write_kitti(folder: Path, videos: Iterable[VideoTracks], classes: Sequence[str]) -> None:
    """KITTI tracking results: FOLDER/VIDEO.txt, frames from 0, boxes x1 y1 x2 y2, ids as they are.

    classes: the names that `Tracks.labels` index. Classes that KITTI has not are left out, with a
    warning.
    """
    categories = CategoryIds(classes, _NAMES)
    folder.mkdir(parents=True, exist_ok=True)
    for video in videos:
        with AtomicText(folder / f"{video.name}.txt") as file:
            for frame, tracks in enumerate(video.frames):
                rows = zip(tracks.ids, tracks.labels, tracks.boxes, tracks.scores, strict=True)
                for track, label, box, score in rows:
                    category = categories.of(int(label))
                    if category is not None:
                        edges = " ".join(f"{edge:.3f}" for edge in box.tolist())
                        head = f"{frame} {track} {_TYPES[category]} {_UNKNOWN}"
                        file.write(f"{head} {edges} {_NO_3D} {score:.6g}\n")
    categories.warn(folder)
