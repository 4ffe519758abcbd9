"""What a drive holds, for people."""

from __future__ import annotations

from collections import Counter

from masa_core.evaluation.drive.labels import Label

_AWAY_S = 1.0


class Tally:
    """Counts frames and labels as they are written. An id that was away for a second and has
    labels again returned, from outside of the frame or from behind something."""

    def __init__(self) -> None:
        self._frames = self._labelled = self._labels = self._occluded = self._returns = 0
        self._last_s: dict[int, float] = {}
        self._categories: dict[int, str] = {}

    def frame(self) -> None:
        self._frames += 1

    def labels(self, labels: list[Label], time_s: float) -> None:
        self._labelled += 1
        self._labels += len(labels)
        for label in labels:
            self._occluded += label.occluded
            self._returns += time_s - self._last_s.get(label.id, time_s) > _AWAY_S
            self._last_s[label.id] = time_s
            self._categories[label.id] = label.category

    def figures(self) -> dict[str, int | dict[str, int]]:
        return {
            "frames": self._frames,
            "labelled_frames": self._labelled,
            "labels": self._labels,
            "occluded_labels": self._occluded,
            "ids": len(self._last_s),
            "returns": self._returns,
            "ids_of_each_category": dict(sorted(Counter(self._categories.values()).items())),
        }
