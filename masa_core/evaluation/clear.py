"""CLEAR MOT and identity measures by the rules of py-motmetrics 1.4, which Scalabel builds on.

CLEAR: Bernardin and Stiefelhagen, EURASIP JIVP 2008. Identity: Ristani et al., ECCV 2016
workshops. Unlike in TrackEval, a pair of track and object is kept whenever it is still valid,
however many frames it was not seen in between; a fragment is a miss between the first and the
last match; and mostly tracked begins at exactly 80 %.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment


@dataclass
class ClearCounts:
    """What one sequence and class adds up to. `sum_counts` adds several.

    objects and predictions count boxes, unique_objects tracks of the truth; distance is the sum of
    1 - IoU over all matches.
    """

    frames: int = 0
    objects: int = 0
    unique_objects: int = 0
    predictions: int = 0
    matches: int = 0
    switches: int = 0
    false_positives: int = 0
    misses: int = 0
    transfers: int = 0
    ascends: int = 0
    migrates: int = 0
    fragments: int = 0
    mostly_tracked: int = 0
    partially_tracked: int = 0
    mostly_lost: int = 0
    idtp: int = 0
    idfp: int = 0
    idfn: int = 0
    distance: float = 0.0

    @property
    def detections(self) -> int:
        return self.matches + self.switches


def sum_counts(parts: Iterable[ClearCounts]) -> ClearCounts:
    """The counts of several sequences or classes together."""
    total = ClearCounts()
    for part in parts:
        for field in fields(ClearCounts):
            setattr(total, field.name, getattr(total, field.name) + getattr(part, field.name))
    return total


class _Frame:
    """One frame while it is matched: what is free has no match yet."""

    def __init__(
        self, objects: list[int], tracks: list[int], distances: NDArray[np.float64]
    ) -> None:
        self.objects = objects
        self.tracks = tracks
        self.distances = distances
        self.free_objects = np.ones(len(objects), bool)
        self.free_tracks = np.ones(len(tracks), bool)

    def find(self, track: int | None) -> int | None:
        """Column of a track that is free."""
        for column, other in enumerate(self.tracks):
            if other == track and self.free_tracks[column]:
                return column
        return None


class ClearAccumulator:
    """Matches the frames of one sequence and class, one `update` a frame, in order."""

    def __init__(self) -> None:
        self._counts = ClearCounts()
        self._track_of: dict[int, int] = {}  # of each object, in its last match
        self._object_of: dict[int, int] = {}  # of each track, in its last new match
        self._seen_objects: set[int] = set()
        self._seen_tracks: set[int] = set()
        self._history: defaultdict[int, list[bool]] = defaultdict(list)  # of an object: matched?
        self._object_frames: Counter[int] = Counter()
        self._track_frames: Counter[int] = Counter()
        self._overlaps: Counter[tuple[int, int]] = Counter()

    def update(self, objects: list[int], tracks: list[int], distances: NDArray[np.float64]) -> None:
        """One frame: ids of G objects and T tracks, (G, T) distances, NaN where no match may be."""
        self._count_overlaps(objects, tracks, distances)
        frame = _Frame(objects, tracks, distances.copy())
        self._keep_matches(frame)
        self._add_matches(frame)
        for obj, free in zip(objects, frame.free_objects, strict=True):
            if free:
                self._counts.misses += 1
                self._history[obj].append(False)
        self._counts.false_positives += int(frame.free_tracks.sum())
        self._counts.predictions += len(tracks)
        self._counts.frames += 1

    def _count_overlaps(
        self, objects: list[int], tracks: list[int], distances: NDArray[np.float64]
    ) -> None:
        self._object_frames.update(set(objects))
        self._track_frames.update(set(tracks))
        rows, columns = np.nonzero(np.isfinite(distances))
        pairs = zip(rows.tolist(), columns.tolist(), strict=True)
        self._overlaps.update((objects[row], tracks[column]) for row, column in pairs)

    def _keep_matches(self, frame: _Frame) -> None:
        for row, obj in enumerate(frame.objects):
            column = frame.find(self._track_of.get(obj))
            if column is not None and np.isfinite(frame.distances[row, column]):
                self._counts.matches += 1
                self._take(frame, row, column)

    def _add_matches(self, frame: _Frame) -> None:
        distances = frame.distances
        distances[~frame.free_objects] = np.nan
        distances[:, ~frame.free_tracks] = np.nan
        for row, column in zip(*map(np.ndarray.tolist, assign(distances)), strict=True):
            obj, track = frame.objects[row], frame.tracks[column]
            if self._track_of.get(obj, track) != track:
                self._counts.switches += 1
                self._counts.ascends += track not in self._seen_tracks
            else:
                self._counts.matches += 1
            if self._object_of.get(track, obj) != obj:
                self._counts.transfers += 1
                self._counts.migrates += obj not in self._seen_objects
            self._track_of[obj], self._object_of[track] = track, obj
            self._take(frame, row, column)

    def _take(self, frame: _Frame, row: int, column: int) -> None:
        frame.free_objects[row] = frame.free_tracks[column] = False
        self.record_match(frame.objects[row], frame.tracks[column], frame.distances[row, column])

    def record_match(self, obj: int, track: int, distance: float) -> None:
        """Called with each match of `update`, so that who looks for events can override it."""
        self._seen_objects.add(obj)
        self._seen_tracks.add(track)
        self._history[obj].append(True)
        self._counts.distance += float(distance)

    def counts(self) -> ClearCounts:
        """The counts of all frames so far."""
        total = sum_counts([self._counts])
        for matched in self._history.values():
            share = sum(matched) / len(matched)
            total.mostly_tracked += share >= 0.8
            total.partially_tracked += 0.2 <= share < 0.8
            total.mostly_lost += share < 0.2
            total.fragments += _fragments(matched)
            total.objects += len(matched)
        total.unique_objects = len(self._history)
        total.idfp, total.idfn = self._identity()
        total.idtp = total.objects - total.idfn
        return total

    def _identity(self) -> tuple[int, int]:
        """IDFP and IDFN of the best one-to-one assignment of whole tracks to whole objects."""
        objects, tracks = sorted(self._object_frames), sorted(self._track_frames)
        size, split = len(objects) + len(tracks), len(tracks)
        false_positives, false_negatives = np.zeros((size, size)), np.zeros((size, size))
        false_positives[len(objects) :, :split] = np.nan  # a track may only stay alone as itself
        false_negatives[: len(objects), split:] = np.nan
        for row, obj in enumerate(objects):
            false_negatives[row, :split] = self._object_frames[obj]
            false_negatives[row, split + row] = self._object_frames[obj]
        for column, track in enumerate(tracks):
            false_positives[: len(objects), column] = self._track_frames[track]
            false_positives[len(objects) + column, column] = self._track_frames[track]
        row_of = {obj: row for row, obj in enumerate(objects)}
        column_of = {track: column for column, track in enumerate(tracks)}
        for (obj, track), count in self._overlaps.items():
            false_positives[row_of[obj], column_of[track]] -= count
            false_negatives[row_of[obj], column_of[track]] -= count
        pairs = assign(false_positives + false_negatives)
        return int(false_positives[pairs].sum()), int(false_negatives[pairs].sum())


def _fragments(matched: list[bool]) -> int:
    ends = sum(before and not after for before, after in pairwise(matched))
    # the last end is one only where a later match closes the gap
    return ends - (ends > 0 and not matched[-1])


def assign(costs: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows and columns of the pairs of least total cost; NaN marks a pair that may not be."""
    allowed = np.isfinite(costs)
    if not allowed.any():
        return np.zeros(0, np.int64), np.zeros(0, np.int64)
    # one forbidden pair costs more than any set of allowed ones can differ by
    bound = np.abs(costs[allowed]).max() + 1
    forbidden = 2 * min(costs.shape) * bound + 1
    rows, columns = linear_sum_assignment(np.where(allowed, costs, forbidden))
    kept = allowed[rows, columns]
    return rows[kept], columns[kept]
