"""CLEAR and identity figures of BDD100K, by Scalabel's rules (scalabel.eval.mot and mots).

Per class, with ignore regions: truth that is crowd or ignored is not scored, and an unmatched
prediction that lies in one such region by more than half of itself is not either. Predictions
that are themselves crowd or ignored (distractors) are left out.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from masa_core.evaluation.bdd_labels import CLASSES, SUPER_CLASSES, BddVideo, Instances
from masa_core.evaluation.clear import ClearAccumulator, ClearCounts, assign, sum_counts
from masa_core.evaluation.mot_motmetrics import ratio
from masa_core.evaluation.similarity import iou_distances, overlap_of_first_xywh

ClassFigures = dict[str, float | int]
_RATIOS = ("MOTA", "MOTP", "IDF1")

# Distances (G, T) of truth and results, and shares (T, R) of results in ignore regions.
Compare = Callable[[Instances, Instances], NDArray[np.float64]]


@dataclass(frozen=True)
class ClearRule:
    """distances and shares compare instances; thresholds are the evaluator's iou_thr and
    ignore_iof_thr."""

    distances: Compare
    shares: Compare
    iou_threshold: float = 0.5
    ignore_threshold: float = 0.5


def clear_figures(videos: Iterable[BddVideo], rule: ClearRule) -> dict[str, ClassFigures]:
    """MOTA, MOTP, IDF1, FP, FN, IDSw, MT, PT, ML and FM of each class, super-class, AVERAGE and
    OVERALL. Ratios in percent; NaN and -inf where a class has no truth."""
    per_class: list[list[ClearCounts]] = [[] for _ in CLASSES]
    for video in videos:
        for counts, part in zip(per_class, _score(video, rule), strict=True):
            counts.append(part)
    totals = {name: sum_counts(parts) for name, parts in zip(CLASSES, per_class, strict=True)}
    figures = {name: _figures(counts) for name, counts in totals.items()}
    average = _average([figures[name] for name in CLASSES])
    for name, members in SUPER_CLASSES.items():
        figures[name] = _figures(sum_counts(totals[member] for member in members))
    overall = _figures(sum_counts(totals.values()))
    return {**figures, "AVERAGE": average, "OVERALL": overall}


def _score(video: BddVideo, rule: ClearRule) -> list[ClearCounts]:
    accumulators = [ClearAccumulator() for _ in CLASSES]
    for truth, results in zip(video.truth, video.results, strict=True):
        score_frame(accumulators, truth, results, rule)
    return [accumulator.counts() for accumulator in accumulators]


def score_frame(
    accumulators: Sequence[ClearAccumulator],
    truth: Instances,
    results: Instances,
    rule: ClearRule,
) -> None:
    """Match one frame, in the accumulator of each of `CLASSES`."""
    region = truth.crowd | truth.ignored
    regions, truth = truth[region], truth[~region]
    results = results[~(results.crowd | results.ignored)]
    for label in np.union1d(truth.classes, results.classes).tolist():
        _update(
            accumulators[label],
            truth[truth.classes == label],
            results[results.classes == label],
            regions,
            rule,
        )


def _update(
    accumulator: ClearAccumulator,
    truth: Instances,
    results: Instances,
    regions: Instances,
    rule: ClearRule,
) -> None:
    distances = np.zeros((len(truth), len(results)))
    if distances.size:
        distances = rule.distances(truth, results)
        distances[distances > 1 - rule.iou_threshold] = np.nan
    ids = results.ids
    if len(regions) and len(results):
        unmatched = np.ones(len(results), bool)
        unmatched[assign(distances)[1]] = False
        in_region = (rule.shares(results, regions) > rule.ignore_threshold).any(axis=1)
        kept = ~(unmatched & in_region)
        distances, ids = distances[:, kept], ids[kept]
    if len(truth) or len(ids):
        accumulator.update(truth.ids.tolist(), ids.tolist(), distances)


def _figures(counts: ClearCounts) -> ClassFigures:
    errors = counts.misses + counts.switches + counts.false_positives
    return {
        "MOTA": 100 * (1 - ratio(errors, counts.objects)),
        "MOTP": 100 * (1 - ratio(counts.distance, counts.detections)),
        "IDF1": 100 * ratio(2 * counts.idtp, counts.objects + counts.predictions),
        "FP": counts.false_positives,
        "FN": counts.misses,
        "IDSw": counts.switches,
        "MT": counts.mostly_tracked,
        "PT": counts.partially_tracked,
        "ML": counts.mostly_lost,
        "FM": counts.fragments,
    }


def _average(classes: list[ClassFigures]) -> ClassFigures:
    """Means of ratios, a class without a finite value counting as 0, and sums of counts."""
    average: ClassFigures = {}
    for name in classes[0]:
        values = [figures[name] for figures in classes]
        if name in _RATIOS:
            average[name] = float(np.mean(np.nan_to_num(values, posinf=0, neginf=0)))
        else:
            average[name] = int(sum(values))
    return average


def box_distances(truth: Instances, results: Instances) -> NDArray[np.float64]:
    """1 - IoU of boxes one pixel wider and higher than x2 - x1 and y2 - y1."""
    return iou_distances(inclusive_xywh(truth), inclusive_xywh(results))


def box_shares(results: Instances, regions: Instances) -> NDArray[np.float64]:
    return overlap_of_first_xywh(inclusive_xywh(results), inclusive_xywh(regions))


def inclusive_xywh(instances: Instances) -> NDArray[np.float64]:
    """(N, 4) left, top, width, height of boxes whose last pixel is x2, y2."""
    boxes = instances.boxes
    return np.concatenate((boxes[:, :2], boxes[:, 2:] - boxes[:, :2] + 1), axis=1)


def mask_distances(truth: Instances, results: Instances) -> NDArray[np.float64]:
    from pycocotools import mask as mask_api

    return 1 - np.asarray(mask_api.iou(results.shapes, truth.shapes, [False] * len(truth))).T


def mask_shares(results: Instances, regions: Instances) -> NDArray[np.float64]:
    from pycocotools import mask as mask_api

    return np.asarray(mask_api.iou(results.shapes, regions.shapes, [True] * len(regions)))


BOX_RULE = ClearRule(box_distances, box_shares)
MASK_RULE = ClearRule(mask_distances, mask_shares)
