"""Similarity losses of two sets of embeddings, on matrices: a row an anchor, a column a candidate.

These are the losses that the published weights were trained with, which are not equation 1 of the
paper: raw dot products without temperature, because trackers use the embeddings' lengths at test
time, and a margin loss on cosines beside them.
"""

from __future__ import annotations

import torch
from torch import Tensor

CONTRASTIVE_WEIGHT = 0.25
NEGATIVE_MARGIN = 0.1  # cosines of different instances below this are good enough
HARDEST = 3  # negatives kept for each positive
EPS = 1e-6


def same_instance(key_ids: Tensor, reference_ids: Tensor) -> Tensor:
    """(K, R) bool: the two rois show the same instance. An id of 0 is background."""
    return (key_ids[:, None] == reference_ids[None]) & (key_ids[:, None] > 0)


def contrastive_loss(logits: Tensor, same: Tensor) -> Tensor:
    """Multi-positive contrastive loss, unweighted: a number, in float32.

    logits: (K, R) dot products. same: (K, R) bool. With P positives in a row, those share one
    place in its denominator (each weighs 1 / P), so that an instance with many rois does not count
    for more. The mean over rows that have a positive; 0 where none has.
    """
    rows = same.any(dim=1)
    logits, positive = logits.float()[rows], same[rows]
    if not len(logits):
        return logits.sum()
    weights = positive / positive.sum(dim=1, keepdim=True)
    log_weights = torch.where(positive, weights, 1.0).log()
    denominator = torch.logsumexp(logits + log_weights, dim=1)
    return (denominator - (logits * weights).sum(dim=1)).mean()


def margin_loss(cosines: Tensor, same: Tensor) -> Tensor:
    """Squared distance of (K, R) cosines from 1 (same) or below 0.1 (not): a number, in float32.

    Of the negatives, only the three hardest for each positive count, over the whole matrix. The
    mean over the entries that count; 0 where there is no positive.
    """
    cosines = cosines.float()
    target = same.float()
    similarity = torch.where(same, cosines, cosines - NEGATIVE_MARGIN).clamp(0, 1)
    errors = (similarity - target).square()
    positives, negatives = errors[same], errors[~same]
    hardest = HARDEST * len(positives)
    if len(negatives) > hardest:
        negatives = negatives.topk(hardest, sorted=False).values
    counted = torch.cat((positives, negatives))
    return counted.sum() / max(len(counted), 1)
