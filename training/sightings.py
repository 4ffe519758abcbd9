"""Embeddings of the same thing at several times, from unlabeled frames of any source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from masa_core.io import SourceFrame
from masa_core.runtime import Model
from training.embedding.tracklets import EVERY_S, MIN_SCORE, MIN_SIDE, link

SHAKE, GAIN, CAST = 0.1, 0.3, 0.1  # of a second look: box edges; brightness; single channels


@dataclass(eq=False)
class Sightings:
    """One thing from ``first_ns`` to ``last_ns``: rows of (n, D) embeddings, in order of time.

    shaken: of the same moments once more, with the box's edges moved and the light changed.
    """

    first_ns: int
    last_ns: int = 0
    rows: list[NDArray[np.float32]] = field(default_factory=list)
    shaken: list[NDArray[np.float32]] = field(default_factory=list)

    def all(self) -> NDArray[np.float32]:
        return np.stack(self.rows + self.shaken)

    def beside(self, other: Sightings) -> bool:
        """Whether both were there at one moment: then they are surely two things."""
        return self.first_ns <= other.last_ns and other.first_ns <= self.last_ns


def sightings(model: Model, frames: Iterable[SourceFrame], seed: int = 0) -> list[Sightings]:
    """What the model's detector finds and no other box can be taken for, followed through frames.

    Frames that are not successive (stills) give things that are seen once; their second look is
    then what an embedding learns from. Raises ModelError for a model without a detector.
    """
    random = np.random.RandomState(seed)
    ended: list[Sightings] = []
    running: list[tuple[NDArray[np.float32], int, Sightings]] = []
    due_ns, epoch = None, 0
    for frame in frames:
        if frame.epoch != epoch:
            ended += [thing for _, _, thing in running]
            running, due_ns, epoch = [], None, frame.epoch
        features = model.encode(frame.image)
        found = model.detect(features)
        sides = found.boxes[:, 2:] - found.boxes[:, :2]
        kept = (found.scores >= MIN_SCORE) & (sides.min(axis=1, initial=np.inf) >= MIN_SIDE)
        boxes, labels = found.boxes[kept], found.labels[kept]
        links = link([(box, label) for box, label, _ in running], boxes, labels)
        things = [
            running[links[row]][2] if row in links else Sightings(frame.stamp_ns)
            for row in range(len(boxes))
        ]
        linked = set(links.values())
        ended += [thing for number, (_, _, thing) in enumerate(running) if number not in linked]
        running = list(zip(boxes, labels.tolist(), things, strict=True))
        for thing in things:
            thing.last_ns = frame.stamp_ns
        if things and (due_ns is None or frame.stamp_ns >= due_ns):
            due_ns = frame.stamp_ns + round(EVERY_S * 1e9)
            rows = model.embed(features, boxes)
            second = _second_look(model, frame.image, boxes, random)
            for thing, row, other in zip(things, rows, second, strict=True):
                thing.rows.append(row)
                thing.shaken.append(other)
    ended += [thing for _, _, thing in running]
    return [thing for thing in ended if thing.rows]


def _second_look(
    model: Model,
    image: NDArray[np.uint8],
    boxes: NDArray[np.float32],
    random: np.random.RandomState,
) -> NDArray[np.float32]:
    gain = random.uniform(1 - GAIN, 1 + GAIN) * random.uniform(1 - CAST, 1 + CAST, 3)
    changed = (image * gain).clip(0, 255).astype(np.uint8)
    sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    moved = boxes + random.uniform(-SHAKE, SHAKE, boxes.shape) * sides
    return model.embed(model.encode(changed), moved.astype(np.float32))
