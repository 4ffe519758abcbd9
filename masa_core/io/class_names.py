"""Names of classes: numbers for the tracker, words for the messages."""

from __future__ import annotations

from collections.abc import Sequence

MAX_NAMES = 10_000  # a detector that puts scores into its class names must not fill the memory


class ClassNames:
    """Gives each (class_id, label) that a detector uses a number of its own, from 0.

    classes: the names of the model's own detector, if it finds the boxes: their numbers are their
    labels. A detector on a topic may use names, labels or both; they come out as they came in.

    `words` has a word for each number, for people; it grows as names are learned.
    """

    def __init__(self, classes: Sequence[str] = ()) -> None:
        self._names: list[tuple[str, int]] = [(name, i) for i, name in enumerate(classes)]
        self._numbers = {name: number for number, name in enumerate(self._names)}
        self.words = list(classes)

    def number(self, class_id: str, label: int) -> int:
        """The number of a name; -1 when there are too many of them."""
        number = self._numbers.get((class_id, label))
        if number is None:
            if len(self._names) >= MAX_NAMES:
                return -1
            number = self._numbers[class_id, label] = len(self._names)
            self._names.append((class_id, label))
            self.words.append(class_id or str(label))
        return number

    def name(self, number: int) -> tuple[str, int]:
        """The (class_id, label) with this number; ("", -1) if there is none."""
        return self._names[number] if 0 <= number < len(self._names) else ("", -1)
