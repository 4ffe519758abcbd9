"""Similarity of detections to tracks, and who gets whom. All arrays, no loop over pairs."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.floating[Any]]


def box_iou(a: Floats, b: Floats) -> Floats:
    """(N, M) intersection over union of (N, 4) and (M, 4) xyxy boxes, 0 for empty ones."""
    # One coordinate at a time: reductions over a last axis of two are slow in NumPy.
    width = np.minimum(a[:, None, 2], b[None, :, 2]) - np.maximum(a[:, None, 0], b[None, :, 0])
    height = np.minimum(a[:, None, 3], b[None, :, 3]) - np.maximum(a[:, None, 1], b[None, :, 1])
    overlap = np.maximum(width, 0) * np.maximum(height, 0)
    union = _area(a)[:, None] + _area(b)[None, :] - overlap
    return np.asarray(overlap / np.maximum(union, np.finfo(np.float32).tiny))


def _area(boxes: Floats) -> Floats:
    sides = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    return np.asarray(sides[:, 0] * sides[:, 1])


def overlaps_better(boxes: Floats, iou_thr: float | Floats) -> NDArray[np.bool_]:
    """Whether each of (N, 4) boxes, best first, overlaps any better one by more than iou_thr.

    A better box counts even when it is itself a duplicate. iou_thr: a number, or (N,) of them.
    """
    return worse_of_pairs(box_iou(boxes, boxes), iou_thr)


def worse_of_pairs(overlap: Floats, iou_thr: float | Floats) -> NDArray[np.bool_]:
    """As `overlaps_better`, of the (N, N) IoU of the boxes."""
    duplicate = np.tril(overlap, -1) > np.broadcast_to(iou_thr, len(overlap))[:, None]
    return np.asarray(duplicate.any(axis=1))


def softmax(logits: Floats, axis: int) -> Floats:
    """Softmax, safe for any finite logits."""
    if logits.size == 0:
        return logits
    powers = np.exp(logits - logits.max(axis=axis, keepdims=True))
    return powers / powers.sum(axis=axis, keepdims=True)


def bisoftmax(detections: Floats, tracks: Floats) -> Floats:
    """(N, M) bi-softmax of (N, D) and (M, D) embeddings: s1 of Eq. 2 of the paper."""
    logits = detections @ tracks.T
    return (softmax(logits, axis=1) + softmax(logits, axis=0)) / 2


def cosine(detections: Floats, tracks: Floats) -> Floats:
    """(N, M) cosine similarity of (N, D) and (M, D) embeddings: s2 of Eq. 2 of the paper."""
    return unit(detections) @ unit(tracks).T


def unit(embeddings: Floats) -> Floats:
    """(N, D) embeddings, scaled to length 1."""
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return embeddings / np.maximum(norms, 1e-12)


def distance_damping(
    detections: Floats, tracks: Floats, gaps: NDArray[np.int64], max_distance: float, fps: float
) -> Floats:
    """(N, M) factors in 0..1 that damp matches of boxes (N, 4) and (M, 4) that are far apart.

    gaps: (M,) frames since each track was seen; the allowed distance in pixels grows with them.
    """
    centres = [(boxes[:, :2] + boxes[:, 2:]) / 2 for boxes in (detections, tracks)]
    distance = np.linalg.norm(centres[0][:, None] - centres[1][None], axis=2)
    with np.errstate(over="ignore"):  # after a long gap everything is allowed: infinity is right
        allowed = max_distance * np.exp(gaps / (fps / 6))
    return np.exp(-np.maximum(distance - allowed, 0) / (100 / fps)).astype(np.float32)


def greedy(
    scores: Floats, match_score_thr: float, eligible: NDArray[np.bool_]
) -> NDArray[np.int64]:
    """(N,) column of each row of (N, M) scores, or -1: the matching of the paper's Algorithm 1.

    Rows choose in order, each its best column that is above match_score_thr and not yet taken.
    Rows that are not eligible do not take a column.
    """
    scores = scores.copy()
    columns = np.full(len(scores), -1, np.int64)
    # A taken column is set to 0, which raises no row above the threshold: others can be skipped.
    for row in np.flatnonzero(eligible & (scores.max(axis=1, initial=0) > match_score_thr)):
        column = scores[row].argmax()
        if scores[row, column] > match_score_thr:
            columns[row] = column
            scores[row + 1 :, column] = 0
    return columns
