"""What a detector would find in a drive: everything, or what a fair one finds."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from masa_core.evaluation.drive.labels import CATEGORIES, Label
from masa_core.structures import Detections

# The fair detector. Its errors last for a moment, as those of real ones do.
_MEMORY_S = 0.25
_MISSED, _MISSED_HIDDEN, _MISSED_SMALL = 0.04, 0.75, 0.35
_SMALL = 0.03  # of the frame's height: half as high is twice as hard
_JITTER, _JITTER_WHITE = 0.03, 0.01  # of a box's sides
_FALSE_PER_S, _FALSE_S = 1.2, 0.4


class PerfectDetector:
    """All labels with their masks, at score 1, in an order that gives nothing away."""

    def __init__(self, rng: np.random.Generator) -> None:
        self._rng = rng

    def find(self, labels: list[Label]) -> Detections:
        shuffled = [labels[row] for row in self._rng.permutation(len(labels))]
        return Detections(
            np.array([label.box for label in shuffled], np.float32),
            np.ones(len(shuffled), np.float32),
            np.array([CATEGORIES.index(label.category) for label in shuffled], np.int64),
            [label.mask for label in shuffled],
        )


@dataclass
class _False:
    """Something that is not there: it lasts a moment, at one place."""

    box: NDArray[np.float64]
    label: int
    end_s: float
    score: float


@dataclass
class NoisyDetector:
    """Boxes with misses, jitter, false positives and scores that mean something; no masks.

    Hidden and small objects are missed more, and score less. size: width and height of frames.
    frame_s: time between two of them.
    """

    size: tuple[int, int]
    frame_s: float
    rng: np.random.Generator
    _moods: dict[int, NDArray[np.float64]] = field(default_factory=dict)  # by id: 6 normal numbers
    _false: list[_False] = field(default_factory=list)
    _time_s: float = 0.0

    def find(self, labels: list[Label]) -> Detections:
        width, height = self.size
        rows, classes = [], []
        keep = np.exp(-self.frame_s / _MEMORY_S)
        fresh = {label.id: self.rng.normal(0, 1, 6) for label in labels}
        for label in labels:
            before = self._moods.get(label.id, fresh[label.id])
            mood = keep * before + np.sqrt(1 - keep**2) * self.rng.normal(0, 1, 6)
            fresh[label.id] = mood
            x1, y1, x2, y2 = label.box
            small = min(1.0, _SMALL * height / (y2 - y1))
            missed = _MISSED + _MISSED_HIDDEN * label.occlusion**2 + _MISSED_SMALL * small**2
            if mood[0] < NormalDist().inv_cdf(min(missed, 0.98)):
                continue
            sides = np.array([x2 - x1, y2 - y1] * 2)
            noise = _JITTER * mood[2:] + _JITTER_WHITE * self.rng.normal(0, 1, 4)
            score = 0.88 - 0.4 * label.occlusion - 0.25 * small + 0.07 * mood[1]
            rows.append((*(np.array(label.box) + sides * noise), score))
            classes.append(CATEGORIES.index(label.category))
        self._moods = fresh  # of what is out of sight, nothing is kept
        for false in self._false_positives():
            rows.append((*false.box, false.score + self.rng.normal(0, 0.03)))
            classes.append(false.label)
        table = np.array(rows, np.float64).reshape(-1, 5)
        table[:, [0, 2]] = table[:, [0, 2]].clip(0, width)
        table[:, [1, 3]] = table[:, [1, 3]].clip(0, height)
        table[:, 4] = table[:, 4].clip(0.05, 0.99)
        good = (table[:, 2] - table[:, 0] >= 1) & (table[:, 3] - table[:, 1] >= 1)
        order = self.rng.permutation(np.flatnonzero(good))
        table = table[order].astype(np.float32)
        return Detections(table[:, :4], table[:, 4], np.array(classes, np.int64)[order])

    def _false_positives(self) -> list[_False]:
        width, height = self.size
        self._time_s += self.frame_s
        self._false = [item for item in self._false if item.end_s > self._time_s]
        for _ in range(self.rng.poisson(_FALSE_PER_S * self.frame_s)):
            x, y = self.rng.uniform(0, width), self.rng.uniform(0.4, 0.95) * height
            tall = height * self.rng.uniform(0.03, 0.2)
            wide = tall * self.rng.uniform(0.4, 1.8)
            box = np.array((x - wide / 2, y - tall / 2, x + wide / 2, y + tall / 2))
            end_s = self._time_s + self.rng.exponential(_FALSE_S)
            label, score = int(self.rng.integers(len(CATEGORIES))), self.rng.uniform(0.2, 0.6)
            self._false.append(_False(box, label, end_s, score))
        return self._false
