"""Writers of formats in which masks may not overlap: BDD100K's bitmasks, and KITTI MOTS."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

from masa_core.evaluation.bdd_labels import CLASSES
from masa_core.evaluation.results import CategoryIds, VideoTracks, paint
from masa_core.io.atomic import AtomicText
from masa_core.io.image_files import write_image

_KITTI_CLASSES = {"car": 1, "pedestrian": 2, "person": 2}
_MOST_BITMASK_IDS = 0xFFFF
_MOST_KITTI_IDS = 999


def write_bitmasks(folder: Path, videos: Iterable[VideoTracks], classes: Sequence[str]) -> None:
    """BDD100K's bitmasks: FOLDER/VIDEO/FRAME.png, ids from 1 in each video.

    classes: the names that `Tracks.labels` index. Where masks overlap, the track with the higher
    score has the pixel. Raises ValueError for tracks without masks and for more ids than fit.
    """
    categories = CategoryIds(classes, {name: number for number, name in enumerate(CLASSES, 1)})
    for video in videos:
        ids: dict[int, int] = {}
        for frame_name, tracks in zip(video.frame_names, video.frames, strict=True):
            owner = paint(tracks, video.height, video.width)
            image = np.zeros((video.height, video.width, 4), np.uint8)
            for row, (track, label) in enumerate(zip(tracks.ids, tracks.labels, strict=True)):
                category = categories.of(int(label))
                if category is None:
                    continue
                number = _number(ids, int(track), _MOST_BITMASK_IDS, video.name)
                # OpenCV's order: blue, green, red, alpha
                image[owner == row] = (number >> 8, 0, category, number & 255)
            path = folder / video.name / f"{Path(frame_name).stem}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, image)
    categories.warn(folder)


def write_kitti_mots(folder: Path, videos: Iterable[VideoTracks], classes: Sequence[str]) -> None:
    """KITTI MOTS: FOLDER/VIDEO.txt, frames from 0, ids ``class * 1000 + number`` in each video.

    As `write_bitmasks`; only cars and pedestrians have a place in the format.
    """
    from pycocotools import mask as mask_api

    categories = CategoryIds(classes, _KITTI_CLASSES)
    folder.mkdir(parents=True, exist_ok=True)
    for video in videos:
        ids: dict[int, dict[int, int]] = {1: {}, 2: {}}
        with AtomicText(folder / f"{video.name}.txt") as file:
            for frame, tracks in enumerate(video.frames):
                owner = paint(tracks, video.height, video.width)
                for row, (track, label) in enumerate(zip(tracks.ids, tracks.labels, strict=True)):
                    category = categories.of(int(label))
                    pixels = owner == row
                    if category is None or not pixels.any():
                        continue
                    number = _number(ids[category], int(track), _MOST_KITTI_IDS, video.name)
                    rle = mask_api.encode(np.asfortranarray(pixels, np.uint8))
                    where = f"{frame} {category * 1000 + number} {category}"
                    file.write(f"{where} {video.height} {video.width} {rle['counts'].decode()}\n")
    categories.warn(folder)


def _number(ids: dict[int, int], track: int, most: int, video: str) -> int:
    number = ids.setdefault(track, len(ids) + 1)
    if number > most:
        raise ValueError(f"video {video} has more than the {most} tracks that the format can name")
    return number
