"""The official trackers, masa_tao and masa_bdd: what they share (paper, Algorithm 1)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from masa_core.structures import Detections, Tracks, TrackState
from masa_core.tracking.official_memory import OfficialMemory
from masa_core.tracking.official_rules import UNMATCHED, make_rule
from masa_core.tracking.presets import OfficialConfig


class OfficialTracker:
    """The tracks of one camera. Its clock is the number of updates, empty frames included."""

    def __init__(self, config: OfficialConfig) -> None:
        self._config = config
        self.memory = OfficialMemory()
        self._rule = make_rule(config)
        self._frame = 0
        self._next_id = 0

    @property
    def config(self) -> OfficialConfig:
        return self._config

    @config.setter
    def config(self, config: OfficialConfig) -> None:
        self._config = self._rule.config = config

    def duplicates(self, detections: Detections) -> NDArray[np.bool_]:
        return self._rule.duplicates(detections)

    def update(
        self,
        detections: Detections,
        embeddings: NDArray[np.float32],
        stamp_ns: int,
        camera_motion: NDArray[np.float64] | None = None,
    ) -> Tracks:
        """As `Tracker.update`. How the camera moved is nothing to the official code."""
        frame, self._frame = self._frame, self._frame + 1
        if len(detections) == 0:
            return Tracks.empty()  # as the official code: nothing ages, nothing is forgotten

        order = np.argsort(-detections.scores, kind="stable")
        order = order[~self._rule.duplicates(detections[order])]
        detections, embeddings = detections[order], embeddings[order]

        rows = np.full(len(detections), UNMATCHED, np.int64)
        if len(self.memory):
            rows = self._rule.match(detections, embeddings, self.memory, frame)
        ids = self._remember(rows, detections, embeddings, frame, stamp_ns)
        self._rule.unused(
            detections, embeddings, np.flatnonzero((rows == UNMATCHED) & (ids == UNMATCHED))
        )
        tracks = self._tracks(ids, detections, embeddings, frame)
        self.memory.keep(frame - self.memory.last_frame < self._config.memo_tracklet_frames)
        return tracks

    def _remember(
        self,
        rows: NDArray[np.int64],
        detections: Detections,
        embeddings: NDArray[np.float32],
        frame: int,
        stamp_ns: int,
    ) -> NDArray[np.int64]:
        """Continue and begin tracks; (N,) ids, UNMATCHED for a detection that is no track."""
        ids = np.full(len(detections), UNMATCHED, np.int64)
        seen = rows >= 0
        ids[seen] = self.memory.ids[rows[seen]]
        if seen.any():
            momentum = self._config.memo_momentum
            self.memory.update(
                rows[seen], detections[seen], embeddings[seen], frame, stamp_ns, momentum
            )

        born = (rows == UNMATCHED) & (detections.scores > self._config.init_score_thr)
        count = int(born.sum())
        ids[born] = np.arange(self._next_id, self._next_id + count)
        self._next_id += count
        if count:
            self.memory.add(ids[born], detections[born], embeddings[born], frame, stamp_ns)
        return ids

    def _tracks(
        self,
        ids: NDArray[np.int64],
        detections: Detections,
        embeddings: NDArray[np.float32],
        frame: int,
    ) -> Tracks:
        tracked = ids >= 0
        ids, detections = ids[tracked], detections[tracked]
        rows = self.memory.rows_of(ids)
        return Tracks(
            ids=ids,
            boxes=detections.boxes,
            scores=detections.scores,
            labels=detections.labels,
            states=np.full(len(ids), TrackState.CONFIRMED, np.uint8),
            masks=detections.masks,
            ages=frame - self.memory.first_frame[rows] + 1,
            first_seen_ns=self.memory.first_ns[rows],
            last_seen_ns=self.memory.last_ns[rows],
            velocities=self.memory.velocities[rows],
            embeddings=embeddings[tracked],
        )
