"""Tracks of a data set's videos, and what the writers of its formats share.

MOTChallenge text and Scalabel JSON are written by `masa_core.io.writers`, a file for each video.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike, NDArray

from masa_core.masks.compact import part_in_frame
from masa_core.structures import Mask, Tracks


@dataclass(frozen=True)
class VideoTracks:
    """One video: its name, the names of its frames as in the truth, and the tracks of each frame.

    height and width: of the frames, in pixels.
    """

    name: str
    frame_names: list[str]
    frames: list[Tracks]
    height: int
    width: int


class CategoryIds:
    """Category ids of tracks, by the names of a detector's classes; counts what has none."""

    def __init__(self, classes: Sequence[str], categories: dict[str, int]) -> None:
        self._ids = [categories.get(name) for name in classes]
        self._names = classes
        self._lost: dict[str, int] = {}

    def of(self, label: int) -> int | None:
        """The category of a label; None, and counted, where the data set has no such class."""
        category = self._ids[label]
        if category is None:
            name = self._names[label]
            self._lost[name] = self._lost.get(name, 0) + 1
        return category

    def warn(self, path: Path) -> None:
        if self._lost:
            lost = ", ".join(f"{count} of {name}" for name, count in self._lost.items())
            message = f"{path}: boxes of classes that the data set has not are left out ({lost})"
            warnings.warn(message, stacklevel=3)


def paint(tracks: Tracks, height: int, width: int) -> NDArray[np.int64]:
    """Row of the track that each pixel of a (height, width) frame belongs to, -1 for none.

    Where masks overlap, the track with the higher score has the pixel. Raises ValueError for
    tracks without masks.
    """
    if tracks.masks is None:
        raise ValueError("these tracks have no masks")
    return paint_masks(tracks.masks, tracks.scores, height, width)


def paint_masks(
    masks: Sequence[Mask], scores: ArrayLike, height: int, width: int
) -> NDArray[np.int64]:
    """As `paint`, for N masks and their (N,) scores."""
    image = np.full((height, width), -1, np.int64)
    for row in np.argsort(scores, kind="stable").tolist():
        where, pixels = part_in_frame(masks[row], height, width)
        image[where][pixels] = row
    return image
