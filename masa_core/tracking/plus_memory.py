"""What masa_plus remembers of each track, and how a detection changes it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from masa_core.structures import Detections, Mask
from masa_core.tracking import motion
from masa_core.tracking.association import unit
from masa_core.tracking.columns import Columns
from masa_core.tracking.presets import MasaPlusConfig

Rows = NDArray[np.int64]
Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

FARTHEST_PX = 1e5  # where a camera that moves on and on leaves what it lost from sight
MAX_LABEL_WEIGHT = 5.0  # scores that speak for a class; so many are needed to change it


class PlusMemory(Columns):
    """M tracks, seen or not.

    ids (M,), embeddings (M, D) of unit length, centres (M, 2) px, velocities (M, 2) px/s,
    covariances (M, 3) as in `motion`, log_sizes (M, 2) of width and height, labels that most of
    the detections had and their label_weights, scores, masks (M,) of Mask or None and the
    mask_places (M, 2) px where their objects' centres were, hits, first_frame, first_ns and
    last_ns (M,).

    Everything in pixels is in those of the newest frame, but for the masks.
    """

    embeddings: Floats
    centres: Doubles
    velocities: Doubles
    covariances: Doubles
    log_sizes: Doubles
    labels: Rows
    label_weights: Floats
    scores: Floats
    masks: NDArray[Any]
    mask_places: Doubles
    hits: Rows
    first_frame: Rows
    first_ns: Rows
    last_ns: Rows

    def __init__(self) -> None:
        self.ids = np.zeros(0, np.int64)
        self.last_ns = np.zeros(0, np.int64)

    def begin(
        self, ids: Rows, detections: Detections, embeddings: Floats, frame: int, stamp_ns: int
    ) -> Rows:
        """N tracks begin as N detections with (N, D) unit embeddings; (N,) their rows."""
        count, first_row = len(ids), len(self)
        centres, log_sizes = measure(detections.boxes)
        self.append(
            ids=ids,
            embeddings=embeddings,
            centres=centres,
            velocities=np.zeros((count, 2)),
            covariances=motion.start(side(log_sizes)),
            log_sizes=log_sizes,
            labels=detections.labels,
            label_weights=detections.scores.copy(),
            scores=detections.scores,
            masks=_objects(detections),
            mask_places=centres,
            hits=np.ones(count, np.int64),
            first_frame=np.full(count, frame),
            first_ns=np.full(count, stamp_ns),
            last_ns=np.full(count, stamp_ns),
        )
        return np.arange(first_row, first_row + count)

    def see(
        self,
        rows: Rows,
        detections: Detections,
        embeddings: Floats,
        config: MasaPlusConfig,
        stamp_ns: int,
    ) -> None:
        """Tracks at rows (N,) were seen as N detections with (N, D) unit embeddings."""
        elapsed_s = self.elapsed_s(stamp_ns)[rows]
        centres, log_sizes = measure(detections.boxes)
        self.centres[rows], self.velocities[rows], self.covariances[rows] = motion.correct(
            self.centres[rows] + self.velocities[rows] * elapsed_s[:, None],
            self.velocities[rows],
            motion.grow(self.covariances[rows], side(log_sizes), elapsed_s),
            centres,
            side(log_sizes),
        )
        self.log_sizes[rows] = (self.log_sizes[rows] + log_sizes) / 2
        newest = config.embedding_momentum
        self.embeddings[rows] = unit((1 - newest) * self.embeddings[rows] + newest * embeddings)
        self._vote(rows, detections)
        kept = np.exp(-elapsed_s / config.score_smoothing_s) if config.score_smoothing_s else 0.0
        self.scores[rows] += (1 - kept) * (detections.scores - self.scores[rows])
        self.masks[rows] = _objects(detections)
        self.mask_places[rows] = self.centres[rows]
        self.hits[rows] += 1
        self.last_ns[rows] = stamp_ns

    def follow(self, camera_motion: Doubles) -> None:
        """Into the pixels of the next frame, by a (2, 3) matrix from those of the last."""
        if len(self) == 0:
            return
        turn, shift = camera_motion[:, :2], camera_motion[:, 2]
        zoom = np.sqrt(max(abs(np.linalg.det(turn)), 1e-6))
        self.centres = np.clip(self.centres @ turn.T + shift, -FARTHEST_PX, FARTHEST_PX)
        self.velocities = np.clip(self.velocities @ turn.T, -FARTHEST_PX, FARTHEST_PX)
        self.log_sizes = np.clip(self.log_sizes + np.log(zoom), 0, np.log(FARTHEST_PX))
        self.covariances = np.clip(self.covariances * zoom**2, -(FARTHEST_PX**2), FARTHEST_PX**2)

    def _vote(self, rows: Rows, detections: Detections) -> None:
        """A track keeps its class until the scores of another outweigh it (majority vote)."""
        same = self.labels[rows] == detections.labels
        weights = self.label_weights[rows] + np.where(same, 1, -1) * detections.scores
        self.labels[rows] = np.where(weights < 0, detections.labels, self.labels[rows])
        self.label_weights[rows] = np.minimum(np.abs(weights), MAX_LABEL_WEIGHT)

    def elapsed_s(self, stamp_ns: int) -> Doubles:
        """(M,) seconds since each track was seen; a stamp that goes back counts as none."""
        return np.maximum(stamp_ns - self.last_ns, 0) / 1e9

    def expected(self, stamp_ns: int) -> Doubles:
        """(M, 2) centres at stamp_ns, px."""
        return motion.extrapolate(self.centres, self.velocities, self.elapsed_s(stamp_ns))

    def expected_boxes(self, rows: Rows, stamp_ns: int) -> Floats:
        """(N, 4) boxes of the tracks at rows (N,), px."""
        centres, half = self.expected(stamp_ns)[rows], np.exp(self.log_sizes[rows]) / 2
        return np.concatenate([centres - half, centres + half], axis=1).astype(np.float32)

    def expected_masks(self, rows: Rows, stamp_ns: int) -> list[Mask]:
        """The last masks of the tracks at rows (N,), moved along with their boxes."""
        moved = np.rint(self.expected(stamp_ns)[rows] - self.mask_places[rows]).astype(int)
        return [
            replace(mask, x=mask.x + int(dx), y=mask.y + int(dy))
            for mask, (dx, dy) in zip(self.masks[rows], moved, strict=True)
        ]


def measure(boxes: Floats) -> tuple[Doubles, Doubles]:
    """(N, 2) centres and (N, 2) logs of width and height of (N, 4) boxes; 1 px is the least."""
    corners = boxes.astype(np.float64)
    extent = np.maximum(corners[:, 2:] - corners[:, :2], 1)
    return (corners[:, :2] + corners[:, 2:]) / 2, np.log(extent)


def side(log_sizes: Doubles) -> Doubles:
    """(N,) sides of the squares that have the areas of the boxes, px."""
    return np.exp(log_sizes.mean(axis=1))


def _objects(detections: Detections) -> NDArray[Any]:
    column = np.full(len(detections), None, object)
    if detections.masks is not None:
        column[:] = detections.masks
    return column
