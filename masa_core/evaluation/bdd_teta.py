"""TETA figures of BDD100K, by the two routes that papers have taken.

"scalabel" (scalabel.eval.teta and tetas, TETA's run_bdd.py): crowds are ignore regions, and an
unmatched prediction that lies in one by more than half is taken off. Distractors are ordinary
truth and ordinary predictions, since this evaluator looks for them after they were renamed.
"coco" (TETA's COCO data set on converted labels): crowds and distractors are ordinary truth, and
only frames with truth are scored; "coco_scored" is the same without crowds and distractors.
Boxes are one pixel wider than x2 - x1 on all routes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from masa_core.evaluation.bdd_clear import inclusive_xywh
from masa_core.evaluation.bdd_labels import CLASSES, SUPER_CLASSES, BddVideo, Instances
from masa_core.evaluation.similarity import box_iou, overlap_of_first, xywh_to_xyxy
from masa_core.evaluation.teta import TetaRule, TetaScore, score_video
from masa_core.evaluation.teta_cluster import TetaVideo
from masa_core.evaluation.teta_summary import (
    Fields,
    average_fields,
    combine,
    final_fields,
    is_empty,
    video_fields,
)

ROUTES = ("scalabel", "coco", "coco_scored")
_SCORED_ORDER = ("pedestrian", "rider", "car", "bus", "truck", "train", "motorcycle", "bicycle")
_EPS = np.finfo(np.float64).eps

Floats = NDArray[np.float64]


def teta_fields(
    videos: Iterable[BddVideo], masks: bool, route: str
) -> tuple[dict[str, Fields], dict[str, dict[str, Fields]]]:
    """TETA's fields of each class (and super-class), AVERAGE and OVERALL; then by video.

    On the "coco" routes only classes with truth are there. Raises ValueError for an unknown route
    and for an id that comes twice in a frame.
    """
    if route not in ROUTES:
        raise ValueError(f"unknown TETA route {route!r}; known: {', '.join(ROUTES)}")
    score = _score_scalabel if route == "scalabel" else _score_coco
    videos = list(videos)
    by_video = {}
    for video in videos:
        try:
            by_video[video.name] = score(_shown(video, route), masks)
        except ValueError as error:
            raise ValueError(f"video {video.name}: {error}") from None
    totals = {name: combine(scores[name] for scores in by_video.values()) for name in CLASSES}
    if route != "scalabel":
        totals = {name: total for name, total in totals.items() if _has_truth(total)}
    combined = {name: final_fields(total) for name, total in totals.items()}
    combined["AVERAGE"] = average_fields(totals.values())
    if route == "scalabel":
        combined["OVERALL"] = final_fields(combine(totals.values()))
        for name, members in SUPER_CLASSES.items():
            combined[name] = final_fields(combine(totals[member] for member in members))
    flat = {
        video: {name: video_fields(scores[name]) for name in totals}
        for video, scores in by_video.items()
    }
    return combined, flat


def _has_truth(score: TetaScore) -> bool:
    return not is_empty(score) and bool((score.loc_tp + score.loc_fn > 0).any())


def _shown(video: BddVideo, route: str) -> BddVideo:
    """The video with the frames and the truth that the route looks at."""
    if route == "scalabel":
        return video
    truth = video.truth
    if route == "coco_scored":
        truth = [frame[~(frame.crowd | frame.ignored)] for frame in truth]
    frames = [index for index, frame in enumerate(truth) if len(frame)]
    return BddVideo(
        video.name, [truth[index] for index in frames], [video.results[index] for index in frames]
    )


def _score_scalabel(video: BddVideo, masks: bool) -> dict[str, TetaScore]:
    crowds = [frame[frame.crowd] for frame in video.truth]
    scored = BddVideo(video.name, [frame[~frame.crowd] for frame in video.truth], video.results)
    teta_video = _teta_video(scored, masks)
    crowd_filter = _CrowdFilter(teta_video, _shares(video.results, crowds, masks), masks)
    labels = {name: CLASSES.index(name) for name in _SCORED_ORDER}
    scores = score_video(teta_video, list(labels.values()), TetaRule(exhaustive=True), crowd_filter)
    return {name: scores[label] for name, label in labels.items()}


def _score_coco(video: BddVideo, masks: bool) -> dict[str, TetaScore]:
    rule = TetaRule(exhaustive=True)
    scores = score_video(_teta_video(video, masks), range(len(CLASSES)), rule)
    return {name: scores[label] for label, name in enumerate(CLASSES)}


def _teta_video(video: BddVideo, masks: bool) -> TetaVideo:
    return TetaVideo(
        [frame.ids for frame in video.truth],
        [frame.classes for frame in video.truth],
        [frame.ids for frame in video.results],
        [frame.classes for frame in video.results],
        [
            _overlaps(truth, results, masks)
            for truth, results in zip(video.truth, video.results, strict=True)
        ],
    )


def _boxes(instances: Instances) -> Floats:
    return xywh_to_xyxy(inclusive_xywh(instances))


def _overlaps(truth: Instances, results: Instances, masks: bool) -> Floats:
    if not masks:
        return box_iou(_boxes(truth), _boxes(results))
    return _mask_overlaps(truth.shapes, results.shapes, of_first=False)


def _mask_overlaps(first: list[Any], second: list[Any], of_first: bool) -> Floats:
    from pycocotools import mask as mask_api

    overlaps = mask_api.iou(first, second, [of_first] * len(second))
    return np.asarray(overlaps, np.float64).reshape(len(first), len(second))


def _shares(
    results: list[Instances], crowds: list[Instances], masks: bool
) -> list[NDArray[np.bool_]]:
    """Which results of each frame lie in an ignore region by more than half of themselves."""
    inside = []
    for frame, crowd in zip(results, crowds, strict=True):
        if not len(crowd):
            share = np.zeros((len(frame), 1))
        elif masks:
            from pycocotools import mask as mask_api

            share = _mask_overlaps(frame.shapes, [mask_api.merge(crowd.shapes)], of_first=True)
        else:
            share = overlap_of_first(_boxes(frame), _boxes(crowd))
        inside.append(np.any(share > 0.5 + _EPS, axis=1))
    return inside


class _CrowdFilter:
    """Takes results off a video that lie in crowds and match no truth, whatever its class.

    The reference code does so again before each class. What was taken off can change the matching
    where overlaps are equal, so a frame is looked at until it stays as it is.
    """

    def __init__(self, video: TetaVideo, in_crowd: list[NDArray[np.bool_]], masks: bool) -> None:
        self._video = video
        self._in_crowd = in_crowd
        self._no_match = -10000.0 if masks else 0.0
        self._frames = [frame for frame, inside in enumerate(in_crowd) if inside.any()]

    def __call__(self) -> None:
        self._frames = [frame for frame in self._frames if self._filter(frame)]

    def _filter(self, frame: int) -> bool:
        video = self._video
        overlaps = video.overlaps[frame]
        unmatched = np.ones(overlaps.shape[1], bool)
        if overlaps.size:
            scores = np.where(overlaps < 0.5 - _EPS, self._no_match, overlaps)
            rows, columns = linear_sum_assignment(-scores)
            unmatched[columns[scores[rows, columns] > _EPS]] = False
        kept = ~(unmatched & self._in_crowd[frame])
        if kept.all():
            return False
        video.ids[frame] = video.ids[frame][kept]
        video.classes[frame] = video.classes[frame][kept]
        video.overlaps[frame] = overlaps[:, kept]
        self._in_crowd[frame] = self._in_crowd[frame][kept]
        return True
