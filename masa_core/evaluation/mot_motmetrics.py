"""MOTChallenge sequences by the rules of py-motmetrics: CLEAR and identity, no preprocessing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from masa_core.evaluation.clear import ClearAccumulator, ClearCounts, sum_counts
from masa_core.evaluation.similarity import iou_distances

if TYPE_CHECKING:
    from masa_core.evaluation.mot import MotSequence


def score_sequences(sequences: list[MotSequence], iou_threshold: float) -> dict[str, Any]:
    """Figures under py-motmetrics' own names, ratios from 0 to 1; ``motp`` is a mean distance."""
    counts = {item.name: _score(item, iou_threshold) for item in sequences}
    counts["COMBINED"] = sum_counts(counts.values())
    figures = {name: motmetrics_figures(value) for name, value in counts.items()}
    settings = {
        "evaluator": "py-motmetrics 1.4.0 rules",
        "boxes": "x2 = left + width",
        "iou_threshold": iou_threshold,
        "preprocessing": "off, truth marked with 0 is dropped",
    }
    combined = figures["COMBINED"]
    return {
        "figures": {
            "CLEAR": {name: combined[name] for name in combined if not name.startswith("id")},
            "Identity": {name: combined[name] for name in combined if name.startswith("id")},
        },
        "settings": {"CLEAR": settings, "Identity": settings},
        "sequences": figures,
    }


def _score(item: MotSequence, iou_threshold: float) -> ClearCounts:
    accumulator = ClearAccumulator()
    evaluated = item.truth.scores >= 1
    truth_frames, results_frames = item.truth.frames, item.results.frames
    for frame in np.union1d(truth_frames[evaluated], results_frames).tolist():
        rows, columns = evaluated & (truth_frames == frame), results_frames == frame
        distances = iou_distances(item.truth.boxes[rows], item.results.boxes[columns])
        distances[distances > 1 - iou_threshold] = np.nan
        accumulator.update(
            item.truth.ids[rows].tolist(), item.results.ids[columns].tolist(), distances
        )
    return accumulator.counts()


def ratio(numerator: float, denominator: float) -> float:
    """Division that gives NaN or an infinity for a denominator of 0."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.float64(numerator) / np.float64(denominator))


def motmetrics_figures(counts: ClearCounts) -> dict[str, float | int]:
    """Counts and ratios as ``motmetrics.metrics`` names them."""
    errors = counts.misses + counts.switches + counts.false_positives
    return {
        "idf1": ratio(2 * counts.idtp, counts.objects + counts.predictions),
        "idp": ratio(counts.idtp, counts.idtp + counts.idfp),
        "idr": ratio(counts.idtp, counts.idtp + counts.idfn),
        "idtp": counts.idtp,
        "idfp": counts.idfp,
        "idfn": counts.idfn,
        "mota": 1 - ratio(errors, counts.objects),
        "motp": ratio(counts.distance, counts.detections),
        "precision": ratio(counts.detections, counts.detections + counts.false_positives),
        "recall": ratio(counts.detections, counts.objects),
        "num_frames": counts.frames,
        "num_objects": counts.objects,
        "num_unique_objects": counts.unique_objects,
        "num_false_positives": counts.false_positives,
        "num_misses": counts.misses,
        "num_switches": counts.switches,
        "num_transfer": counts.transfers,
        "num_ascend": counts.ascends,
        "num_migrate": counts.migrates,
        "num_fragmentations": counts.fragments,
        "mostly_tracked": counts.mostly_tracked,
        "partially_tracked": counts.partially_tracked,
        "mostly_lost": counts.mostly_lost,
    }
