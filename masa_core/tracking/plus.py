"""masa_plus, the default tracker: appearance and motion weighed as one evidence.

Where the frame rate is high, motion decides nearly everything; after gaps and at low rates only
appearance can. Both are put as log odds of "same object" against "another object", so that their
sum follows whichever knows more, without being told which case it is in.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from masa_core.structures import Detections, Tracks, TrackState
from masa_core.tracking import motion
from masa_core.tracking.appearance import AppearanceEvidence
from masa_core.tracking.assignment import assign, unrivalled
from masa_core.tracking.association import box_iou, unit, worse_of_pairs
from masa_core.tracking.gallery import Gallery
from masa_core.tracking.history_projection import HistoryProjection
from masa_core.tracking.plus_memory import PlusMemory, measure, side
from masa_core.tracking.presets import MasaPlusConfig

UNMATCHED = -1
NEAR_IDENTICAL_IOU = 0.85  # boxes that overlap more are one object, whatever their scores
GAP_PENALTY = 2.5  # log odds for each e-fold of 1 + seconds unseen: it may be gone for good
SURE_MARGIN = 3.0  # log odds ahead of all rivals at which a match teaches what "same" is
# The best of several views of a track is more like a stranger, too. Not long ago, motion still
# tells who is one; later, the mean of a track's embeddings is safer.
VIEWS_COUNT_S = 3.0
COAST_HITS = 3  # detections before a velocity is good enough to coast by
LATE_NS = 1_000_000_000  # a frame that is older than the newest by more says that the clock was set

Rows = NDArray[np.int64]
Floats = NDArray[np.float32]


class PlusTracker:
    """The tracks of one camera. Its clock are the stamps, at whatever rate frames come."""

    def __init__(self, config: MasaPlusConfig) -> None:
        self.config = config
        self.memory = PlusMemory()
        self._appearance = AppearanceEvidence()
        self._projection = HistoryProjection()
        self._gallery = Gallery()
        self._frame_size = np.ones(2)  # as far as boxes have reached, px
        self._frame = 0
        self._next_id = 0

    def duplicates(self, detections: Detections) -> NDArray[np.bool_]:
        boxes = detections.boxes
        return self._duplicates(detections.scores, box_iou(boxes, boxes))

    def update(
        self,
        detections: Detections,
        embeddings: Floats,
        stamp_ns: int,
        camera_motion: NDArray[np.float64] | None = None,
    ) -> Tracks:
        """As `Tracker.update`; tracks age and coast on empty frames too."""
        frame, self._frame = self._frame, self._frame + 1
        if self.config.camera_motion and camera_motion is not None:
            self.memory.follow(camera_motion)
        # Or tracks of what is the future now would coast, and be remembered, until it has come.
        self.memory.last_ns = np.minimum(self.memory.last_ns, stamp_ns + LATE_NS)
        rows = np.zeros(0, np.int64)
        if len(detections):
            order = np.argsort(-detections.scores, kind="stable")
            overlap = box_iou(detections.boxes[order], detections.boxes[order])
            kept = ~self._duplicates(detections.scores[order], overlap)
            order, overlap = order[kept], overlap[np.ix_(kept, kept)]
            detections, embeddings = detections[order], embeddings[order]
            rows = self._remember(detections, unit(embeddings), overlap, frame, stamp_ns)
        tracks = self._seen(rows, detections, embeddings, frame)
        coasting = self._coasting(rows[rows >= 0], stamp_ns)
        if len(coasting):
            tracks = tracks.joined(self._coasted(coasting, frame, stamp_ns))
        self._forget(stamp_ns)
        return tracks

    def _duplicates(self, scores: Floats, overlap: Floats) -> NDArray[np.bool_]:
        weak = scores < self.config.duplicate_score_thr
        iou_thr = np.where(weak, self.config.duplicate_iou_thr, NEAR_IDENTICAL_IOU)
        return worse_of_pairs(overlap, iou_thr.astype(np.float32))

    def _remember(
        self, detections: Detections, looks: Floats, overlap: Floats, frame: int, stamp_ns: int
    ) -> Rows:
        """Continue and begin tracks; (N,) row of each detection's track, or UNMATCHED.

        looks: (N, D) unit embeddings. overlap: (N, N) IoU of the detections.
        """
        config = self.config
        self._frame_size = np.maximum(self._frame_size, detections.boxes[:, 2:].max(axis=0))
        rows = np.full(len(detections), UNMATCHED, np.int64)
        if config.history_projection and len(self.memory):
            confirmed = self.memory.hits >= config.confirm_hits
            self._projection.refresh(self.memory.embeddings[confirmed], stamp_ns)
        compared = self._compared(looks)
        self._appearance.learn_different(compared, overlap, detections.scores)
        if len(self.memory):
            rows = self._match(detections, compared, stamp_ns)
            seen = rows >= 0
            if config.history_projection:
                self._projection.learn(looks[seen], self.memory.embeddings[rows[seen]])
            self.memory.see(rows[seen], detections[seen], looks[seen], config, stamp_ns)
        born = (rows == UNMATCHED) & (detections.scores > config.init_score_thr)
        if born.any():
            ids = np.arange(self._next_id, self._next_id + born.sum())
            rows[born] = self.memory.begin(ids, detections[born], looks[born], frame, stamp_ns)
            self._next_id += len(ids)
        if config.gallery:
            kept = rows >= 0
            ids, scores = self.memory.ids[rows[kept]], detections.scores[kept]
            np.fill_diagonal(overlap, 0)
            self._gallery.add(ids, scores, overlap.max(axis=1)[kept], looks[kept], stamp_ns)
        return rows

    def _compared(self, looks: Floats) -> Floats:
        """Unit embeddings, as they are compared with each other."""
        return self._projection.apply(looks) if self.config.history_projection else looks

    def _match(self, detections: Detections, compared: Floats, stamp_ns: int) -> Rows:
        """(N,) row of the memory for each detection, or UNMATCHED."""
        memory, config = self.memory, self.config
        elapsed_s = memory.elapsed_s(stamp_ns)
        similarities = compared @ self._compared(memory.embeddings).T
        evidence = np.zeros((len(detections), len(memory)))
        if config.use_motion:
            sizes = side(memory.log_sizes)
            evidence = motion.log_odds(
                measure(detections.boxes),
                (memory.expected(stamp_ns), memory.log_sizes),
                motion.grow(memory.covariances, sizes, elapsed_s)[:, 0],
                sizes,
                elapsed_s,
                float(self._frame_size.prod()),
            )
        if config.use_appearance:
            evidence += self._appearance.log_odds(similarities, elapsed_s)
        evidence -= GAP_PENALTY * np.log1p(elapsed_s)
        if config.with_cats:
            evidence[detections.labels[:, None] != memory.labels[None]] = -np.inf
        evidence[detections.scores <= config.obj_score_thr] = -np.inf

        matched, columns = assign(evidence, config.match_evidence_thr)
        sure = unrivalled(evidence, matched, columns, SURE_MARGIN)
        self._appearance.learn_same(similarities[matched[sure], columns[sure]])
        rows = np.full(len(detections), UNMATCHED, np.int64)
        if config.gallery and config.use_appearance:
            rows[matched[sure]] = columns[sure]
            self._look_closer(rows, evidence, similarities, compared, elapsed_s)
        else:
            rows[matched] = columns
        return rows

    def _look_closer(
        self,
        rows: Rows,
        evidence: NDArray[np.float64],
        similarities: Floats,
        compared: Floats,
        elapsed_s: NDArray[np.float64],
    ) -> None:
        """Match the detections that have no row yet, with the views of the tracks that are left."""
        left = np.ones(len(self.memory), bool)
        left[rows[rows >= 0]] = False
        doubted, tracks = np.flatnonzero(rows == UNMATCHED), np.flatnonzero(left)
        if not len(doubted) or not len(tracks):
            return
        odds = evidence[np.ix_(doubted, tracks)]
        lately = np.flatnonzero(elapsed_s[tracks] <= VIEWS_COUNT_S)
        owners, views = self._gallery.views(self.memory.ids[tracks[lately]])
        if len(views):
            firsts = np.flatnonzero(np.diff(owners, prepend=-1))
            each = compared[doubted] @ self._compared(views).T
            best = np.maximum.reduceat(each, firsts, axis=1)
            own = lately[owners[firsts]]
            mean = similarities[np.ix_(doubted, tracks[own])]
            seen_s = elapsed_s[tracks[own]]
            odds[:, own] += self._appearance.log_odds(np.maximum(best, mean), seen_s)
            odds[:, own] -= self._appearance.log_odds(mean, seen_s)
        matched, columns = assign(odds, self.config.match_evidence_thr)
        rows[doubted[matched]] = tracks[columns]

    def _coasting(self, seen: Rows, stamp_ns: int) -> Rows:
        """Rows of the tracks that are shown though they were not seen in this frame."""
        memory = self.memory
        if self.config.coast_s == 0 or len(memory) == 0:
            return np.zeros(0, np.int64)
        expected = memory.expected(stamp_ns)
        inside = ((expected > 0) & (expected < self._frame_size)).all(axis=1)
        lately = memory.elapsed_s(stamp_ns) <= self.config.coast_s
        trusted = memory.hits >= max(self.config.confirm_hits, COAST_HITS)
        trusted[seen] = False
        return np.flatnonzero(inside & lately & trusted)

    def _seen(self, rows: Rows, detections: Detections, embeddings: Floats, frame: int) -> Tracks:
        tracked = rows >= 0
        if not tracked.any():
            return Tracks.empty()
        rows, detections = rows[tracked], detections[tracked]
        confirmed = self.memory.hits[rows] >= self.config.confirm_hits
        return Tracks(
            boxes=detections.boxes,
            states=np.where(confirmed, TrackState.CONFIRMED, TrackState.TENTATIVE),
            masks=detections.masks,
            embeddings=embeddings[tracked],
            **self._facts(rows, frame),
        )

    def _coasted(self, rows: Rows, frame: int, stamp_ns: int) -> Tracks:
        memory = self.memory
        has_masks = all(mask is not None for mask in memory.masks[rows])
        return Tracks(
            boxes=memory.expected_boxes(rows, stamp_ns),
            states=np.full(len(rows), TrackState.COASTED),
            masks=memory.expected_masks(rows, stamp_ns) if has_masks else None,
            embeddings=memory.embeddings[rows],
            **self._facts(rows, frame),
        )

    def _facts(self, rows: Rows, frame: int) -> dict[str, NDArray[Any]]:
        memory = self.memory
        return {
            "ids": memory.ids[rows],
            "scores": memory.scores[rows],
            "labels": memory.labels[rows],
            "ages": frame - memory.first_frame[rows] + 1,
            "first_seen_ns": memory.first_ns[rows],
            "last_seen_ns": memory.last_ns[rows],
            "velocities": memory.velocities[rows].astype(np.float32),
        }

    def _forget(self, stamp_ns: int) -> None:
        memory, config = self.memory, self.config
        if len(memory) == 0:
            return
        confirmed = memory.hits >= config.confirm_hits
        limit_s = np.where(confirmed, config.memory_s, config.tentative_memory_s)
        kept = memory.elapsed_s(stamp_ns) <= limit_s
        if not kept.all():
            memory.keep(kept)
            self._gallery.keep(memory.ids)
