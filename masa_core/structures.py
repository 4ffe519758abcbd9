"""The nouns that everything passes: Frame, Detections, Tracks, Mask."""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


class TrackState(IntEnum):
    """What a track's row in one frame rests on. The values are those of masa_ros/Track."""

    TENTATIVE = 0  # seen, but not often enough yet to be trusted
    CONFIRMED = 1  # seen in this frame and trusted
    COASTED = 2  # not seen in this frame: box and mask are predicted


@dataclass(frozen=True)
class Mask:
    """A binary mask, kept as the run lengths of the crop that holds it.

    The crop is ``height`` rows of ``width`` pixels whose top-left pixel is (``x``, ``y``) of the
    frame. ``runs`` is coded as in ``masa_core.masks.encode_runs``: row by row, alternating runs
    that start with background, each an unsigned LEB128 number.
    """

    x: int
    y: int
    width: int
    height: int
    runs: bytes


@dataclass(frozen=True, eq=False)
class Frame:
    """One image of a stream: ``image`` (H, W, 3) uint8 BGR, taken at ``stamp_ns``."""

    image: NDArray[np.uint8]
    stamp_ns: int
    name: str = ""  # file name, or the source's own frame name


@dataclass(eq=False)
class Detections:
    """What a detector found in one frame, N rows.

    boxes: (N, 4) float32, x1 y1 x2 y2 in pixels of the original frame.
    scores: (N,) float32 in 0..1. labels: (N,) int64, index into the detector's classes.
    masks: N masks, or None where the detector gives none.

    Raises ValueError when the lengths disagree, a box is not finite or a mask is no Mask.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]
    masks: list[Mask] | None = None

    def __post_init__(self) -> None:
        self.boxes = _rows(self.boxes, np.float32, 4)
        self.scores = _column(self.scores, np.float32)
        self.labels = _column(self.labels, np.int64)
        _check_lengths(self, len(self.boxes))
        if not np.isfinite(self.boxes).all() or not np.isfinite(self.scores).all():
            raise ValueError("detections hold a box or score that is not a finite number")
        if self.masks is not None and not all(isinstance(mask, Mask) for mask in self.masks):
            raise ValueError(
                "masks must be a list of masa_core.structures.Mask: masa_core.masks.encode_mask "
                "makes one of an array of pixels"
            )

    @classmethod
    def empty(cls) -> Detections:
        return cls(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64))

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, rows: ArrayLike | slice) -> Detections:
        """The given rows: a slice, integer indices or a boolean mask."""
        return Detections(**_take(self, rows))


@dataclass(eq=False)
class Tracks:
    """The tracks of one frame, N rows.

    ids: (N,) int64, unique and never reused within an epoch. boxes, scores, labels and masks as
    in Detections. states: (N,) uint8, values of TrackState.

    What a tracker adds, None where it is not known:
    ages: (N,) int64, updates since the track began. first_seen_ns, last_seen_ns: (N,) int64.
    velocities: (N, 2) float32, of the box centre, px/s; relative to the background, where the
    tracker follows the camera's motion. embeddings: (N, D) float32, of this frame.
    """

    ids: NDArray[np.int64]
    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    labels: NDArray[np.int64]
    states: NDArray[np.uint8]
    masks: list[Mask] | None = None
    ages: NDArray[np.int64] | None = None
    first_seen_ns: NDArray[np.int64] | None = None
    last_seen_ns: NDArray[np.int64] | None = None
    velocities: NDArray[np.float32] | None = None
    embeddings: NDArray[np.float32] | None = None

    def __post_init__(self) -> None:
        self.ids = _column(self.ids, np.int64)
        self.boxes = _rows(self.boxes, np.float32, 4)
        self.scores = _column(self.scores, np.float32)
        self.labels = _column(self.labels, np.int64)
        self.states = _column(self.states, np.uint8)
        _check_lengths(self, len(self.ids))

    @classmethod
    def empty(cls) -> Tracks:
        return cls(
            ids=np.zeros(0, np.int64),
            boxes=np.zeros((0, 4), np.float32),
            scores=np.zeros(0, np.float32),
            labels=np.zeros(0, np.int64),
            states=np.zeros(0, np.uint8),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, rows: ArrayLike | slice) -> Tracks:
        """The given rows: a slice, integer indices or a boolean mask."""
        return Tracks(**_take(self, rows))

    def joined(self, other: Tracks) -> Tracks:
        """These rows and then the other's. Columns that only one of them has become None."""
        if len(self) == 0 or len(other) == 0:
            return other if len(self) == 0 else self

        def join(a: Any, b: Any) -> Any:
            if a is None or b is None:
                return None
            return a + b if isinstance(a, list) else np.concatenate((a, b))

        columns = [spec.name for spec in fields(self)]
        return Tracks(**{name: join(getattr(self, name), getattr(other, name)) for name in columns})


def _rows(values: ArrayLike, dtype: Any, width: int) -> NDArray[Any]:
    array = np.asarray(values, dtype)
    if array.size == 0:
        return np.zeros((0, width), dtype)
    if array.ndim != 2 or array.shape[1] != width:
        raise ValueError(f"expected an array of shape (N, {width}), got {array.shape}")
    return array


def _column(values: ArrayLike, dtype: Any) -> NDArray[Any]:
    array = np.asarray(values, dtype)
    if array.ndim != 1:
        raise ValueError(f"expected an array of shape (N,), got {array.shape}")
    return array


def _check_lengths(table: Detections | Tracks, length: int) -> None:
    for field in fields(table):
        column = getattr(table, field.name)
        if column is not None and len(column) != length:
            raise ValueError(f"{field.name} has {len(column)} rows, boxes have {length}")


def _take(table: Detections | Tracks, rows: ArrayLike | slice) -> dict[str, Any]:
    if not isinstance(rows, slice):
        rows = np.asarray(rows)
        if rows.dtype == bool:
            if len(rows) != len(table):
                raise IndexError(f"a mask of {len(rows)} rows cannot select from {len(table)}")
            rows = np.flatnonzero(rows)
        rows = rows.astype(np.int64)

    def pick(column: Any) -> Any:
        if isinstance(column, list):
            return column[rows] if isinstance(rows, slice) else [column[i] for i in rows]
        return None if column is None else column[rows]

    return {field.name: pick(getattr(table, field.name)) for field in fields(table)}
