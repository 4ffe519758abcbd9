"""What became of each object of the truth: which track followed it, when it was lost, and when its
track changed.

The matching is that of the figures of all objects (`bag.scoring`): the events are those which its
IDSw and FM count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from masa_core.evaluation.bag.answers import Answer
from masa_core.evaluation.bag.scoring import ONE_CLASS, ONE_DISTRACTOR, Classes
from masa_core.evaluation.bag.truth import Truth
from masa_core.evaluation.bdd_clear import BOX_RULE, score_frame
from masa_core.evaluation.bdd_labels import CLASSES, Instances
from masa_core.evaluation.clear import ClearAccumulator


@dataclass(frozen=True)
class Switch:
    """An object that is found again with another track than the last time, however long ago.

    before: last labelled frame with track `old`. after: first with `new`. stake: for how many
    labelled frames, at least, each of the two followed the object; 1 is a switch for a moment.
    """

    object_id: str
    category: str
    before: int
    after: int
    old: str
    new: str
    stake: int


@dataclass(frozen=True)
class Gap:
    """The labelled frames `missed` of an object, between two in which it was found: a fragment."""

    object_id: str
    category: str
    before: int
    after: int
    missed: list[int]


@dataclass
class ObjectHistory:
    """One object. moments: its labelled frames, with the track that it was matched to or None."""

    object_id: str
    category: str
    moments: list[tuple[int, str | None]] = field(default_factory=list)

    @property
    def switches(self) -> list[Switch]:
        found = [(frame, track) for frame, track in self.moments if track is not None]
        stretches = [(track, list(part)) for track, part in groupby(found, lambda item: item[1])]
        return [
            Switch(
                self.object_id,
                self.category,
                before[-1][0],
                after[0][0],
                old,
                new,
                min(len(before), len(after)),
            )
            for (old, before), (new, after) in pairwise(stretches)
        ]

    @property
    def gaps(self) -> list[Gap]:
        gaps: list[Gap] = []
        last: int | None = None
        missed: list[int] = []
        for frame, track in self.moments:
            if track is None:
                missed.append(frame)
                continue
            if last is not None and missed:
                gaps.append(Gap(self.object_id, self.category, last, frame, missed))
            last, missed = frame, []
        return gaps


@dataclass(frozen=True)
class Events:
    """objects: in order of appearance. misses, false_positives: in each labelled frame."""

    objects: list[ObjectHistory]
    misses: list[int]
    false_positives: list[int]

    @property
    def switches(self) -> list[Switch]:
        return [switch for history in self.objects for switch in history.switches]

    @property
    def gaps(self) -> list[Gap]:
        return [gap for history in self.objects for gap in history.gaps]


def find_events(truth: Truth, answers: Sequence[Answer], classes: Classes) -> Events:
    """The events of a drive."""
    matches = _Matches()
    accumulators: list[ClearAccumulator] = [ClearAccumulator() for _ in CLASSES]
    accumulators[CLASSES.index(ONE_CLASS)] = matches
    objects, tracks = _AsOneClass(classes), _AsOneClass(classes)
    histories: dict[int, ObjectHistory] = {}
    events = Events([], [], [])
    for frame, answer in zip(truth.frames, answers, strict=True):
        matches.begin_frame()
        nothing = [False] * len(answer.ids)
        score_frame(
            accumulators,
            objects.of(frame.ids, frame.categories, frame.shapes, frame.crowd, frame.ignored),
            tracks.of(answer.ids, answer.categories, answer.boxes, nothing, nothing),
            BOX_RULE,
        )
        kinds = dict(zip(frame.ids, frame.categories, strict=True))
        for number in matches.objects:
            if number not in histories:
                object_id = objects.ids[number]
                histories[number] = ObjectHistory(object_id, classes.name(kinds[object_id]))
                events.objects.append(histories[number])
            track = matches.track_of.get(number)
            found = None if track is None else tracks.ids[track]
            histories[number].moments.append((frame.index, found))
        events.misses.append(len(matches.objects) - len(matches.track_of))
        events.false_positives.append(len(matches.tracks) - len(matches.track_of))
    return events


class _Matches(ClearAccumulator):
    """Remembers the frame in hand: what was scored in it, and who was matched to whom."""

    objects: list[int]
    tracks: list[int]
    track_of: dict[int, int]

    def begin_frame(self) -> None:
        self.objects, self.tracks, self.track_of = [], [], {}

    def update(self, objects: list[int], tracks: list[int], distances: NDArray[np.float64]) -> None:
        self.objects, self.tracks = objects, tracks
        super().update(objects, tracks, distances)

    def record_match(self, obj: int, track: int, distance: float) -> None:
        super().record_match(obj, track, distance)
        self.track_of[obj] = track


class _AsOneClass:
    """Labels as the evaluator has them, and the `ids` that its numbers stand for."""

    def __init__(self, classes: Classes) -> None:
        self.ids: list[str] = []
        self._numbers: dict[str, int] = {}
        self._classes = classes

    def of(
        self,
        ids: list[str],
        categories: list[str],
        boxes: list[Any],
        crowd: list[bool],
        ignored: list[bool],
    ) -> Instances:
        names = [self._classes.one(category) for category in categories]
        distractor = np.array([name == ONE_DISTRACTOR for name in names], bool)
        instances = Instances(
            np.array([self._number(label_id) for label_id in ids], np.int64),
            np.full(len(ids), CLASSES.index(ONE_CLASS), np.int64),
            np.array(crowd, bool),
            distractor,
            distractor | np.array(ignored, bool),
            boxes,
        )
        return instances[np.array([name is not None for name in names], bool)]

    def _number(self, label_id: str) -> int:
        number = self._numbers.setdefault(label_id, len(self.ids))
        if number == len(self.ids):
            self.ids.append(label_id)
        return number
