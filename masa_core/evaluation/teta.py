"""TETA of one video: Li et al., "Tracking Every Thing in the Wild", ECCV 2022 (arXiv 2207.12978).

Localisation, association and classification are scored apart. Predictions are grouped by the
truth that they overlap and not by their class; whole tracks that overlap no truth of a class
anywhere are not seen by it. The rules are those of the reference implementation, with the habits
that its published figures rest on:

* the lowest overlap threshold is 0, at which a pair without any overlap still counts as matched;
* classes are scored in order, and each wrong class is booked as a false positive of that class;
  where truth is exhaustive, a class without truth, or without predictions that overlap it, then
  *replaces* what was booked for it by its own number of predictions, so that the order of the
  classes matters.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from masa_core.evaluation.teta_cluster import (
    EPS,
    Cluster,
    Floats,
    Mask,
    TetaVideo,
    align,
    assign_all,
    make_cluster,
    match,
    near_truth,
)

ALPHAS = np.arange(0.0, 0.99, 0.05)
CLASS_ALPHAS = np.arange(0.5, 0.99, 0.05)
_FIRST = len(ALPHAS) - len(CLASS_ALPHAS)  # of the class alphas among all


def _per_alpha() -> Floats:
    return np.zeros(len(ALPHAS))


def _per_class_alpha() -> Floats:
    return np.zeros(len(CLASS_ALPHAS))


@dataclass(frozen=True)
class TetaRule:
    """What differs between the data sets.

    exhaustive: truth names every object of a class, so that predictions of the class which
    overlap none count against it. strays: those predictions are looked for; the reference code
    does not for TAO, where ``exhaustive`` then only forgets what other classes booked.
    """

    exhaustive: bool
    strays: bool = True


@dataclass
class TetaScore:
    """One class of one video, or of several together.

    Counts and association scores at the thresholds `ALPHAS` (20,), class counts at
    `CLASS_ALPHAS` (10,).
    """

    loc_tp: Floats = field(default_factory=_per_alpha)
    loc_fn: Floats = field(default_factory=_per_alpha)
    loc_fp: Floats = field(default_factory=_per_alpha)
    assoc_a: Floats = field(default_factory=_per_alpha)
    assoc_re: Floats = field(default_factory=_per_alpha)
    assoc_pr: Floats = field(default_factory=_per_alpha)
    cls_tp: Floats = field(default_factory=_per_class_alpha)
    cls_fn: Floats = field(default_factory=_per_class_alpha)
    cls_fp: Floats = field(default_factory=_per_class_alpha)


def score_video(
    video: TetaVideo,
    classes: Sequence[int],
    rule: TetaRule,
    before_pass: Callable[[], None] = lambda: None,
) -> dict[int, TetaScore]:
    """Scores of a video for each of the classes, which are taken in the given order.

    before_pass: called before all classes are matched together and again before each class; it
    may take results off the video. Raises ValueError for an id that comes twice in a frame.
    """
    before_pass()
    owners = assign_all(video)
    false_positives = {label: _per_class_alpha() for label in classes}
    scores = {}
    for label in classes:
        before_pass()
        near = near_truth(video, label, owners)
        cluster = make_cluster(video, label, near)
        if rule.exhaustive:
            if cluster is None:
                false_positives[label][:] = 0
            if rule.strays:
                false_positives[label] += _count_strays(video, label, near)
        if cluster is None:
            truth_count = sum(np.count_nonzero(frame == label) for frame in video.truth_classes)
            scores[label] = TetaScore(loc_fn=np.full(len(ALPHAS), float(truth_count)))
        else:
            scores[label] = _score_cluster(cluster, label, false_positives)
    for label, score in scores.items():
        score.cls_fp = false_positives[label]
    return scores


def _count_strays(video: TetaVideo, label: int, near: list[Mask]) -> int:
    frames = zip(video.classes, near, strict=True)
    return sum(int(np.count_nonzero((classes == label) & ~is_near)) for classes, is_near in frames)


def _score_cluster(cluster: Cluster, label: int, false_positives: dict[int, Floats]) -> TetaScore:
    """The score of a class; adds wrong classes to the false positives of those classes."""
    score = TetaScore()
    alignment, truth_seen, tracks_seen = align(cluster)
    matches = np.zeros((len(ALPHAS), *alignment.shape))
    for frame, truth in enumerate(cluster.truth):
        if not len(truth):
            continue
        rows, columns, overlaps = match(cluster, alignment, frame)
        matched = overlaps >= ALPHAS[:, None] - EPS  # (20, pairs)
        hits, is_near = matched.sum(axis=1), cluster.is_near[frame]
        score.loc_tp += hits
        score.loc_fn += len(truth) - hits
        score.loc_fp += np.count_nonzero(is_near) - (matched & is_near[columns]).sum(axis=1)
        matches[:, truth[rows], cluster.tracks[frame][columns]] += matched
        classes = cluster.classes[frame][columns]
        right = (matched & (classes == label))[_FIRST:].sum(axis=1)
        score.cls_tp += right
        score.cls_fn += hits[_FIRST:] - right
        for pair in np.flatnonzero(classes != label).tolist():
            if classes[pair] in false_positives:
                false_positives[int(classes[pair])] += matched[_FIRST:, pair]
    _score_association(score, matches, truth_seen, tracks_seen)
    return score


def _score_association(
    score: TetaScore, matches: Floats, truth_seen: Floats, tracks_seen: Floats
) -> None:
    total = np.maximum(1, score.loc_tp)

    def mean(weights: Floats) -> Floats:
        return (matches * (matches / np.maximum(1, weights))).sum(axis=(1, 2)) / total

    score.assoc_a = mean(truth_seen + tracks_seen - matches)
    score.assoc_re = mean(np.broadcast_to(truth_seen, matches.shape[1:]))
    score.assoc_pr = mean(np.broadcast_to(tracks_seen, matches.shape[1:]))
