"""What the readers of detection files give: one entry for each frame that a file tells of."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from masa_core.io.coco_rle import from_coco_rle
from masa_core.io.source import SourceError
from masa_core.structures import Detections, Mask


class DetectionFileError(SourceError):
    """A file of detections that cannot be used. The text says which file, where and why."""


@dataclass(frozen=True, eq=False)
class Entry:
    """The detections of one frame, which is known by its file name, its index from 0, or both."""

    detections: Detections
    name: str = ""
    index: int | None = None
    video: str = ""  # where a file holds several


@dataclass
class Rows:
    """Collects the detections of one frame, and checks what a file says of each.

    Its methods raise ValueError with the reason; the reader adds the file and the place.
    """

    boxes: list[tuple[float, float, float, float]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    masks: list[Mask] = field(default_factory=list)

    def add(
        self, box_xyxy: Sequence[Any], score: Any, label: int, rle: Mapping[str, Any] | None = None
    ) -> None:
        x1, y1, x2, y2 = (finite(edge, "box") for edge in box_xyxy)
        if x2 < x1 or y2 < y1:
            raise ValueError(f"the box has a negative size: {x2 - x1:g} x {y2 - y1:g} px")
        value = finite(score, "score")
        if rle is not None:
            self.masks.append(from_coco_rle(rle))
        self.boxes.append((x1, y1, x2, y2))
        self.scores.append(value)
        self.labels.append(label)

    def detections(self) -> Detections:
        """Masks are kept where every row has one."""
        masks = self.masks if self.masks and len(self.masks) == len(self.boxes) else None
        return Detections(self.boxes, self.scores, self.labels, masks)  # type: ignore[arg-type]


def finite(value: Any, what: str) -> float:
    """A number of a file as float. Raises ValueError where it is none, or not finite."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"the {what} has {value!r} where a number is expected")
    try:
        number = float(value)
    except (ValueError, OverflowError):
        number = math.nan
    if not abs(number) < 3e38:  # of float32
        raise ValueError(f"the {what} has {value!r} where a number is expected")
    return number
