"""The same thing at several times, from unlabeled video: boxes that no other one can be taken for.

Detections of successive frames are linked where each is the other's best overlap, by a clear
margin over all others and with the same label. A tracklet ends where that is in doubt, so that
it holds one thing only; that one thing may have several tracklets.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from masa_core.io import open_source
from masa_core.runtime import Model
from masa_core.runtime.crops import cut_crops
from masa_core.tracking.association import box_iou
from training.embedding.form import CROP

MIN_SCORE = 0.4
MIN_IOU, MAX_OTHER_IOU = 0.4, 0.2  # of what is linked; of any other box with one of the two
MIN_SIDE = 24  # px of a box
EVERY_S = 0.3  # between the crops that are kept
MIN_VIEWS, MAX_VIEWS = 3, 12  # of a tracklet: what stands still for minutes shows nothing new


def tracklets(model: Model, video: Path) -> Iterator[NDArray[np.float32]]:
    """(n, 3, *CROP) float32 crops of one thing each, n at least MIN_VIEWS; ended ones first.

    Raises SourceError where the video cannot be read.
    """
    running: list[_Tracklet] = []
    with open_source(video) as source:
        for frame in source:
            found = model.detect(model.encode(frame.image))
            sides = found.boxes[:, 2:] - found.boxes[:, :2]
            kept = (found.scores >= MIN_SCORE) & (sides.min(axis=1, initial=np.inf) >= MIN_SIDE)
            boxes, labels = found.boxes[kept], found.labels[kept]
            links = link([(t.box, t.label) for t in running], boxes, labels)
            going_on = []
            for row in range(len(boxes)):
                tracklet = running[links[row]] if row in links else _Tracklet()
                tracklet.add(frame.image, frame.stamp_ns, boxes[row], int(labels[row]))
                going_on.append(tracklet)
            ended = [t for number, t in enumerate(running) if number not in links.values()]
            yield from (t.crops() for t in ended if t.views >= MIN_VIEWS)
            running = going_on
    yield from (t.crops() for t in running if t.views >= MIN_VIEWS)


def link(
    before: list[tuple[NDArray[np.float32], int]],
    boxes: NDArray[np.float32],
    labels: NDArray[np.int64],
) -> dict[int, int]:
    """Rows of `boxes` that surely show what one of the boxes before showed: row -> number of it."""
    if not before or not len(boxes):
        return {}
    overlap = box_iou(np.array([box for box, _ in before], np.float32), boxes)
    links = {}
    for number, (_, label) in enumerate(before):
        row = int(overlap[number].argmax())
        rivals = np.concatenate(
            (np.delete(overlap[number], row), np.delete(overlap[:, row], number))
        )
        clear = overlap[number, row] >= MIN_IOU and rivals.max(initial=0) <= MAX_OTHER_IOU
        if clear and labels[row] == label:
            links[row] = number
    return links


class _Tracklet:
    def __init__(self) -> None:
        self.box = np.zeros(4, np.float32)
        self.label = -1
        self._crops: list[NDArray[np.float32]] = []
        self._due_ns = -1

    @property
    def views(self) -> int:
        return len(self._crops)

    def add(
        self, image: NDArray[np.uint8], stamp_ns: int, box: NDArray[np.float32], label: int
    ) -> None:
        self.box, self.label = box, label
        if stamp_ns >= self._due_ns:
            self._due_ns = stamp_ns + round(EVERY_S * 1e9)
            limits = np.array([image.shape[1], image.shape[0]] * 2, np.float32)
            self._crops.append(cut_crops(image, box.clip(0, limits)[None], *CROP))

    def crops(self) -> NDArray[np.float32]:
        """At most MAX_VIEWS, evenly in time."""
        chosen = np.linspace(0, self.views - 1, min(self.views, MAX_VIEWS)).round().astype(int)
        return np.concatenate([self._crops[number] for number in chosen])
