"""The tracker: keeps identities over the detections of one frame after the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from masa_core.structures import Detections, Tracks, TrackState
from masa_core.tracking.memory import TrackMemory
from masa_core.tracking.presets import TrackerConfig
from masa_core.tracking.rules import UNMATCHED, Rule, make_rule


class Tracker:
    """Links instances across frames by their embeddings (paper, Sec. 3.3 and Algorithm 1).

    One tracker serves one camera. Not thread-safe.
    """

    def __init__(self, config: TrackerConfig) -> None:
        self._config = config
        self.reset()

    @property
    def config(self) -> TrackerConfig:
        """Assign another configuration of the same preset to change it from the next frame on."""
        return self._config

    @config.setter
    def config(self, config: TrackerConfig) -> None:
        if type(config) is not type(self._config):
            raise ValueError(f"this tracker is {self._config.name}, not {config.name}")
        self._config = self._rule.config = config

    def reset(self) -> None:
        """Forget everything; ids start at 0 again. Begins a new epoch."""
        self.memory = TrackMemory()
        self._rule: Rule = make_rule(self._config)
        self._frame = 0
        self._next_id = 0

    def update(
        self, detections: Detections, embeddings: NDArray[np.float32], stamp_ns: int
    ) -> Tracks:
        """The tracks seen in one frame.

        detections: N of them, any order. embeddings: (N, D) float32, one for each, not normalised.
        stamp_ns: when the frame was taken; the official presets use it for velocities only.

        Returns the detections that continue or begin a track, by falling score.
        Raises ValueError when there is not one finite embedding for each detection.
        """
        frame, self._frame = self._frame, self._frame + 1
        if len(detections) == 0:
            return Tracks.empty()  # as the official trackers: nothing ages, nothing is forgotten
        embeddings = self._checked(detections, embeddings)

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

    def _checked(
        self, detections: Detections, embeddings: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        embeddings = np.asarray(embeddings, np.float32)
        if embeddings.ndim != 2 or len(embeddings) != len(detections):
            raise ValueError(
                f"{len(detections)} detections need embeddings of shape ({len(detections)}, D), "
                f"got {embeddings.shape}"
            )
        if len(self.memory) and embeddings.shape[1] != self.memory.embeddings.shape[1]:
            raise ValueError(
                f"embeddings have {embeddings.shape[1]} values, "
                f"earlier ones had {self.memory.embeddings.shape[1]}"
            )
        if not np.isfinite(embeddings).all():
            raise ValueError("embeddings hold a value that is not a finite number")
        return embeddings

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
