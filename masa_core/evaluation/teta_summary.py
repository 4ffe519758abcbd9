"""TETA over videos and classes: sums, averages and the final figures."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from masa_core.evaluation.teta import TetaScore

RATIOS = (
    "TETA",
    "LocA",
    "AssocA",
    "ClsA",
    "LocRe",
    "LocPr",
    "AssocRe",
    "AssocPr",
    "ClsRe",
    "ClsPr",
)
_COUNTS = ("loc_tp", "loc_fn", "loc_fp", "cls_tp", "cls_fn", "cls_fp")
_WEIGHTED = ("assoc_a", "assoc_re", "assoc_pr")

# Ratios from 0 to 1 and counts by their official names: ClsA, ClsRe and ClsPr are numbers, Cls_TP,
# Cls_FN and Cls_FP (10,) arrays, all others (20,) arrays, one value for each threshold.
Fields = dict[str, Any]


def combine(scores: Iterable[TetaScore]) -> TetaScore:
    """Several videos or classes as one: sums, and association weighted by true positives."""
    parts = list(scores)
    total = TetaScore()
    for name in _COUNTS:
        setattr(total, name, sum(getattr(part, name) for part in parts))
    for name in _WEIGHTED:
        weighted = sum(getattr(part, name) * part.loc_tp for part in parts)
        setattr(total, name, weighted / np.maximum(1.0, total.loc_tp))
    return total


def final_fields(score: TetaScore) -> Fields:
    """All ratios and counts of a score."""
    loc_true, cls_true = score.loc_tp, score.cls_tp
    values: Fields = {
        "LocA": loc_true / np.maximum(1, loc_true + score.loc_fn + score.loc_fp),
        "LocRe": loc_true / np.maximum(1, loc_true + score.loc_fn),
        "LocPr": loc_true / np.maximum(1, loc_true + score.loc_fp),
        "AssocA": score.assoc_a,
        "AssocRe": score.assoc_re,
        "AssocPr": score.assoc_pr,
        "ClsA": np.mean(cls_true / np.maximum(1, cls_true + score.cls_fn + score.cls_fp)),
        "ClsRe": np.mean(cls_true / np.maximum(1, cls_true + score.cls_fn)),
        "ClsPr": np.mean(cls_true / np.maximum(1, cls_true + score.cls_fp)),
    }
    values["TETA"] = (values["LocA"] + values["AssocA"] + values["ClsA"]) / 3
    for name in _COUNTS:
        part, count = name.split("_")
        values[f"{part.capitalize()}_{count.upper()}"] = getattr(score, name)
    return values


def video_fields(score: TetaScore) -> Fields:
    """As `final_fields` of one video: the reference code computes its ClsA, ClsPr and TETA before
    it knows the false positives of the class, and so do these."""
    early = final_fields(replace(score, cls_fp=np.zeros_like(score.cls_fp)))
    return {**early, "Cls_FP": score.cls_fp}


def is_empty(score: TetaScore) -> bool:
    """Whether a class has no truth and no prediction near any."""
    return not (score.loc_tp + score.loc_fn + score.loc_fp > 0).any()


def average_fields(scores: Iterable[TetaScore]) -> Fields:
    """Means of ratios and sums of counts over the classes that are not empty; NaN without any."""
    values = [final_fields(score) for score in scores if not is_empty(score)]
    if not values:
        return final_fields(TetaScore()) | {name: np.float64(np.nan) for name in RATIOS}
    return {
        name: (np.mean if name in RATIOS else np.sum)([item[name] for item in values], axis=0)
        for name in values[0]
    }


def percent(values: Fields) -> dict[str, float]:
    """The ratios in percent, averaged over thresholds."""
    return {name: 100 * float(np.mean(values[name])) for name in RATIOS}


def rounded(values: Fields) -> dict[str, float]:
    """The ratios as the reference code prints them: percent, 5 significant digits."""
    return {name: float(f"{value:1.5g}") for name, value in percent(values).items()}
