"""Detections and embeddings of a bag, kept so that a trial needs neither images nor model.

A file is an .npz of chunks: `stamps_0`, `images_0`, `counts_0`, `motions_0`, `boxes_0`, `scores_0`,
`labels_0`, `embeddings_0`, then those of chunk 1 and so on, and last `classes`. One chunk is in
memory at a time.
"""

from __future__ import annotations

import json
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from masa_core.io.atomic import part_path
from masa_core.structures import Detections, Tracks

FORMAT = 3  # 1 had no motion of the camera, 2 a wrong one where the clock goes back
_FRAMES = 256  # of a chunk
_COLUMNS = ("boxes", "scores", "labels")


class CachedFrame(NamedTuple):
    """What a tracker gets of one image. image: its index in the bag. camera_motion: (2, 3)."""

    image: int
    stamp_ns: int
    detections: Detections
    embeddings: NDArray[np.float32]
    camera_motion: NDArray[np.float64]


class CacheWriter:
    """Takes the place of the tracker in a pipeline, and writes what the pipeline hands to it.

    image: index of the image in hand, to be set before each step. The file appears with `close`.
    """

    wants_camera_motion = True  # a trial may use it or not

    def __init__(self, path: Path) -> None:
        self.image = -1
        self._path = path
        self._part = part_path(path)
        self._file = zipfile.ZipFile(self._part, "w", zipfile.ZIP_STORED)
        self._frames: list[CachedFrame] = []
        self._chunk = 0

    def without_duplicates(self, detections: Detections) -> Detections:
        return detections  # a trial may count others as duplicates

    def update(
        self,
        detections: Detections,
        embeddings: NDArray[np.float32],
        stamp_ns: int,
        camera_motion: NDArray[np.float64],
    ) -> Tracks:
        frame = CachedFrame(self.image, stamp_ns, detections, embeddings, camera_motion)
        self._frames.append(frame)
        if len(self._frames) == _FRAMES:
            self._flush()
        return Tracks.empty()

    def reset(self) -> None:
        """As a tracker's; nothing to forget."""

    def close(self, classes: list[str]) -> None:
        """classes: names of the labels."""
        self._flush()
        self._write("classes", np.array(json.dumps(classes)))
        self._file.close()
        os.replace(self._part, self._path)

    def discard(self) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)

    def _flush(self) -> None:
        frames, self._frames = self._frames, []
        if not frames:
            return
        found = [frame for frame in frames if len(frame.detections)]
        empty = Detections.empty()
        arrays: dict[str, NDArray[Any]] = {
            "stamps": np.array([frame.stamp_ns for frame in frames], np.int64),
            "images": np.array([frame.image for frame in frames], np.int64),
            "counts": np.array([len(frame.detections) for frame in frames], np.int64),
            "motions": np.array([frame.camera_motion for frame in frames], np.float64),
        }
        for name in _COLUMNS:
            columns = [getattr(frame.detections, name) for frame in found]
            arrays[name] = np.concatenate(columns or [getattr(empty, name)])
        looks = [frame.embeddings for frame in found]
        arrays["embeddings"] = np.concatenate(looks or [np.zeros((0, 0), np.float32)])
        for name, array in arrays.items():
            self._write(f"{name}_{self._chunk}", array)
        self._chunk += 1

    def _write(self, name: str, array: NDArray[Any]) -> None:
        with self._file.open(f"{name}.npy", "w", force_zip64=True) as file:
            npy.write_array(file, array, allow_pickle=False)


def read_classes(path: Path) -> list[str]:
    """Names of the labels of a cached bag."""
    with np.load(path, allow_pickle=False) as arrays:
        classes: list[str] = json.loads(str(arrays["classes"]))
    return classes


def read_frames(path: Path) -> Iterator[CachedFrame]:
    """The frames of a cached bag, in order."""
    with np.load(path, allow_pickle=False) as arrays:
        chunk = 0
        while f"stamps_{chunk}" in arrays:
            parts = {
                name: arrays[f"{name}_{chunk}"]
                for name in ("stamps", "images", "counts", "motions", *_COLUMNS, "embeddings")
            }
            ends = np.cumsum(parts["counts"])
            for frame, end in enumerate(ends.tolist()):
                rows = slice(end - int(parts["counts"][frame]), end)
                yield CachedFrame(
                    int(parts["images"][frame]),
                    int(parts["stamps"][frame]),
                    Detections(*(parts[name][rows] for name in _COLUMNS)),
                    parts["embeddings"][rows],
                    parts["motions"][frame],
                )
            chunk += 1
