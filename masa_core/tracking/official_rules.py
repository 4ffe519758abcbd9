"""How each official tracker tells duplicates and matches detections to its memory."""

from __future__ import annotations

from collections import deque
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from masa_core.structures import Detections
from masa_core.tracking.association import (
    bisoftmax,
    cosine,
    distance_damping,
    greedy,
    overlaps_better,
    softmax,
)
from masa_core.tracking.official_memory import OfficialMemory
from masa_core.tracking.presets import MasaBddConfig, MasaTaoConfig, OfficialConfig

UNMATCHED = -1  # row of a detection that may start a track
SUPPRESSED = -2  # row of a detection that belongs to a track but is too weak to continue it

Floats = NDArray[np.float32]
Rows = NDArray[np.int64]


class Rule(Protocol):
    """What differs between the trackers. Detections come sorted by score, best first."""

    config: Any

    def duplicates(self, detections: Detections) -> NDArray[np.bool_]:
        """(N,) which detections to drop."""
        ...

    def match(
        self, detections: Detections, embeddings: Floats, memory: OfficialMemory, frame: int
    ) -> Rows:
        """(N,) row of the memory for each detection, or UNMATCHED, or SUPPRESSED."""
        ...

    def unused(self, detections: Detections, embeddings: Floats, unmatched: Rows) -> None:
        """Told after each frame which of the detections neither continued nor began a track."""
        ...


class MasaTaoRule:
    """Algorithm 1 of the paper; the similarity is Eq. 2, optionally damped by distance."""

    def __init__(self, config: MasaTaoConfig) -> None:
        self.config = config

    def duplicates(self, detections: Detections) -> NDArray[np.bool_]:
        weak = detections.scores < self.config.distractor_score_thr
        return weak & overlaps_better(detections.boxes, self.config.distractor_nms_thr)

    def match(
        self, detections: Detections, embeddings: Floats, memory: OfficialMemory, frame: int
    ) -> Rows:
        config = self.config
        known = memory.embeddings
        scores = (bisoftmax(embeddings, known) + cosine(embeddings, known)) / 2
        if config.max_distance != -1:
            gaps = frame - memory.last_frame
            scores = scores * distance_damping(
                detections.boxes, memory.boxes, gaps, config.max_distance, config.fps
            )
        strong = detections.scores > config.obj_score_thr
        return greedy(scores, config.match_score_thr, strong)

    def unused(self, detections: Detections, embeddings: Floats, unmatched: Rows) -> None:
        pass  # this tracker keeps no backdrop


class MasaBddRule:
    """The tracker of the BDD100K benchmarks: one metric, and a memory of recent non-tracks.

    Detections that were no track (the backdrop) compete in the next frames, so that a detection
    that resembles one of them is not forced onto a track.
    """

    def __init__(self, config: MasaBddConfig) -> None:
        self.config = config
        self._backdrops: deque[tuple[Floats, Rows]] = deque()  # embeddings, labels; newest first

    def duplicates(self, detections: Detections) -> NDArray[np.bool_]:
        config = self.config
        weak = detections.scores < config.obj_score_thr
        iou_thr = np.where(weak, config.nms_backdrop_iou_thr, config.nms_class_iou_thr)
        return overlaps_better(detections.boxes, iou_thr.astype(np.float32))

    def match(
        self, detections: Detections, embeddings: Floats, memory: OfficialMemory, frame: int
    ) -> Rows:
        config = self.config
        known = np.concatenate([memory.embeddings, *(item[0] for item in self._backdrops)])
        scores = self._similarity(embeddings, known)
        if config.with_cats:
            labels = np.concatenate([memory.labels, *(item[1] for item in self._backdrops)])
            scores = scores * (detections.labels[:, None] == labels[None])
        rows = np.full(len(detections), UNMATCHED, np.int64)
        for index in np.flatnonzero(scores.max(axis=1, initial=0) > config.match_score_thr):
            best = int(scores[index].argmax())
            confidence = scores[index, best]
            if confidence <= config.match_score_thr or best >= len(memory):
                continue  # taken by a better detection, or a backdrop
            if detections.scores[index] > config.obj_score_thr:
                rows[index] = best
                scores[index + 1 :, best] = 0
            elif confidence > config.nms_conf_thr:
                rows[index] = SUPPRESSED
        return rows

    def _similarity(self, detections: Floats, known: Floats) -> Floats:
        if self.config.match_metric == "bisoftmax":
            return bisoftmax(detections, known)
        if self.config.match_metric == "softmax":
            return softmax(detections @ known.T, axis=1)
        return cosine(detections, known)

    def unused(self, detections: Detections, embeddings: Floats, unmatched: Rows) -> None:
        alone = ~overlaps_better(detections.boxes, self.config.nms_backdrop_iou_thr)
        rows = unmatched[alone[unmatched]]
        self._backdrops.appendleft((embeddings[rows], detections.labels[rows]))
        while len(self._backdrops) > self.config.memo_backdrop_frames:
            self._backdrops.pop()


def make_rule(config: OfficialConfig) -> Rule:
    if isinstance(config, MasaTaoConfig):
        return MasaTaoRule(config)
    if isinstance(config, MasaBddConfig):
        return MasaBddRule(config)
    raise TypeError(f"{type(config).__name__} is no preset; use OfficialConfig.preset(name)")
