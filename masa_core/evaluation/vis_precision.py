"""Average precision and recall of tracks, by the rules of YouTube-VIS' API (YTVOSeval).

As COCO's, with the overlap of two tracks taken over all their frames. One habit is kept: a match
is stored as the truth's id, so a truth with id 0 can never count as found.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as mask_api

from masa_core.evaluation.vis_tracks import VisTrack

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALL_THRESHOLDS = np.linspace(0.0, 1.0, 101)
MAX_TRACKS = (1, 10, 100)  # best tracks taken of each video
AREA_RANGES = {
    "all": (0.0, 1e5**2),
    "small": (0.0, 128.0**2),
    "medium": (128.0**2, 256.0**2),
    "large": (256.0**2, 1e5**2),
}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class PrecisionRecall:
    """precision: (T, R, K, A, M) at T overlaps, R recalls, K classes, A areas, M track limits;
    recall: (T, K, A, M). -1 where a class has no truth."""

    precision: Floats
    recall: Floats


@dataclass(frozen=True)
class _VideoMatches:
    """D tracks of a video by falling score: scores (D,), matched and ignored (T, D) bool;
    truth_count: truth that counts."""

    scores: Floats
    matched: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    truth_count: int


def precision_recall(
    truth: Sequence[VisTrack],
    results: Sequence[VisTrack],
    videos: Sequence[int],
    categories: Sequence[int] | None,
) -> PrecisionRecall:
    """Score tracks class by class; ``categories`` None scores all tracks as one class."""
    labels = [None] if categories is None else list(categories)
    shape = (len(IOU_THRESHOLDS), len(labels), len(AREA_RANGES), len(MAX_TRACKS))
    precision = -np.ones((shape[0], len(RECALL_THRESHOLDS), *shape[1:]))
    recall = -np.ones(shape)
    truth_of, results_of = (
        _by_video(truth, categories is None),
        _by_video(results, categories is None),
    )
    for k, label in enumerate(labels):
        pairs = [(truth_of[video, label], results_of[video, label]) for video in videos]
        pairs = [(gt, _best(found)) for gt, found in pairs if gt or found]
        overlaps = [track_overlaps(found, gt) for gt, found in pairs]
        for a, area in enumerate(AREA_RANGES.values()):
            matches = [
                _match(gt, found, overlap, area)
                for (gt, found), overlap in zip(pairs, overlaps, strict=True)
            ]
            if not sum(match.truth_count for match in matches):
                continue
            for m, limit in enumerate(MAX_TRACKS):
                precision[:, :, k, a, m], recall[:, k, a, m] = _curve(matches, limit)
    return PrecisionRecall(precision, recall)


def _by_video(
    tracks: Sequence[VisTrack], one_class: bool
) -> defaultdict[tuple[int, int | None], list[VisTrack]]:
    grouped = defaultdict(list)
    ordered = sorted(tracks, key=lambda track: track.category) if one_class else tracks
    for track in ordered:
        grouped[track.video, None if one_class else track.category].append(track)
    return grouped


def _best(tracks: list[VisTrack]) -> list[VisTrack]:
    return sorted(tracks, key=lambda track: -track.score)[: MAX_TRACKS[-1]]


def track_overlaps(results: Sequence[VisTrack], truth: Sequence[VisTrack]) -> Floats:
    """IoU over all frames, (D, G)."""
    shared = np.zeros((len(results), len(truth)))
    if not shared.size:
        return shared
    total = np.zeros_like(shared)
    for frame in range(len(truth[0].masks)):
        rows = [row for row, track in enumerate(results) if track.masks[frame] is not None]
        columns = [column for column, track in enumerate(truth) if track.masks[frame] is not None]
        found = [results[row].masks[frame] for row in rows]
        wanted = [truth[column].masks[frame] for column in columns]
        if rows:
            areas = mask_api.area(found).astype(np.float64)
            total[rows] += areas[:, None]
        if columns:
            total[:, columns] += mask_api.area(wanted).astype(np.float64)
        if rows and columns:
            # with the crowd flag, the API gives the shared part of the first mask's area
            part = mask_api.iou(found, wanted, [True] * len(wanted))
            shared[np.ix_(rows, columns)] += np.rint(np.asarray(part) * areas[:, None])
    union = total - shared
    return np.divide(shared, union, out=np.zeros_like(shared), where=union > 0)


def _match(
    truth: Sequence[VisTrack],
    results: Sequence[VisTrack],
    overlaps: Floats,
    area: tuple[float, float],
) -> _VideoMatches:
    """Give each track, best first, the free truth that it overlaps most, if by enough."""
    low, high = area
    ignored_truth = np.array([gt.crowd or not low <= gt.area <= high for gt in truth], bool)
    order = np.argsort(ignored_truth, kind="stable")  # truth that counts comes first
    counted = int(np.count_nonzero(~ignored_truth))
    is_crowd = np.array([truth[column].crowd for column in order], bool)
    can_match = np.array([truth[column].id != 0 for column in order], bool)
    overlaps = overlaps[:, order]
    shape = (len(IOU_THRESHOLDS), len(results))
    matched, ignored = np.zeros(shape, bool), np.zeros(shape, bool)
    for t, threshold in enumerate(IOU_THRESHOLDS):
        free = np.ones(len(truth), bool)
        for row in range(len(results)):
            column = _choose(overlaps[row], free | is_crowd, counted, min(threshold, 1 - 1e-10))
            if column is not None:
                free[column] = False
                ignored[t, row] = column >= counted
                matched[t, row] = can_match[column]
    outside = np.array([not low <= track.area <= high for track in results], bool)
    scores = np.array([track.score for track in results], np.float64)
    return _VideoMatches(scores, matched, ignored | (~matched & outside), counted)


def _choose(overlaps: Floats, free: NDArray[np.bool_], counted: int, least: float) -> int | None:
    """The best free truth, of those that count if one is good enough; the last of equals."""
    for part in (slice(0, counted), slice(counted, len(overlaps))):
        good = np.flatnonzero(free[part] & (overlaps[part] >= least))
        if len(good):
            values = overlaps[part][good]
            return int(good[np.flatnonzero(values == values.max())[-1]]) + part.start
    return None


def _curve(matches: Sequence[_VideoMatches], limit: int) -> tuple[Floats, Floats]:
    """Precision at each recall (T, R), and the whole recall (T,)."""
    scores = np.concatenate([match.scores[:limit] for match in matches])
    order = np.argsort(-scores, kind="stable")
    matched = np.concatenate([match.matched[:, :limit] for match in matches], axis=1)[:, order]
    ignored = np.concatenate([match.ignored[:, :limit] for match in matches], axis=1)[:, order]
    true = np.cumsum(matched & ~ignored, axis=1).astype(np.float64)
    false = np.cumsum(~matched & ~ignored, axis=1).astype(np.float64)
    truth_count = sum(match.truth_count for match in matches)
    precision = np.zeros((len(true), len(RECALL_THRESHOLDS)))
    if not len(scores):
        return precision, np.zeros(len(true))
    recalls = true / truth_count
    precisions = true / (false + true + np.spacing(1))
    precisions = np.maximum.accumulate(precisions[:, ::-1], axis=1)[:, ::-1]
    for t, recall in enumerate(recalls):
        at = np.searchsorted(recall, RECALL_THRESHOLDS, side="left")
        reached = at < len(recall)
        precision[t, reached] = precisions[t, at[reached]]
    return precision, recalls[:, -1]
