"""What a similarity of embeddings is worth as evidence, learned from the scene at hand.

The norm and spread of embeddings differ from model to model and from scene to scene, so a fixed
threshold or temperature serves one and fails the next. Two facts need no labels: detections in
different places of one frame are different objects, and a match that nothing competes with is the
same object. The cosine similarities of both kinds are followed as running normal distributions,
and turn a similarity into the log odds of "same object" against "another object".
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

FORGET = 0.995  # of what was learned, each time something is learned: follows the scene
MIN_STD = 0.12  # a narrower distribution promises more than a changing scene keeps
DRIFT = 0.5  # relative growth of the variance of "same" in a second without a detection
MAX_LOG_ODDS = 6.0  # no similarity is surer than 400 to 1
MIN_LOG_ODDS = -2.0  # one object may look different: a turn, a shadow, half of it hidden
APART_IOU = 0.1  # boxes that overlap less are different objects, not duplicates of one
SURE_SCORE = 0.3  # detections below this score teach nothing

Floats = NDArray[np.float32]


class AppearanceEvidence:
    """Log odds of cosine similarities."""

    def __init__(self) -> None:
        # Count, sum and sum of squares of each kind. "Different" starts from a weak prior of
        # 0.3 +- 0.15; the prior of "same" depends on "different" and is made when it is used.
        self._different = 5 * np.array([1.0, 0.3, 0.3**2 + 0.15**2])
        self._same = np.zeros(3)

    def learn_different(self, embeddings: Floats, overlap: Floats, scores: Floats) -> None:
        """Learn from the (N, D) unit embeddings, (N, N) IoU and (N,) scores of one frame.

        Only the most similar other object of each teaches: those are what a match is mistaken for.
        """
        if len(embeddings) < 2:
            return
        sure = scores > SURE_SCORE
        apart = (overlap < APART_IOU) & sure[:, None] & sure[None]
        np.fill_diagonal(apart, False)
        closest = np.where(apart, embeddings @ embeddings.T, -np.inf).max(axis=1)
        self._different = _add(self._different, closest[np.isfinite(closest)])

    def learn_same(self, similarities: Floats) -> None:
        """Learn from the (N,) similarities of matches that nothing competed with."""
        self._same = _add(self._same, similarities)

    def log_odds(self, similarities: Floats, elapsed_s: NDArray[np.float64]) -> Floats:
        """(N, M) log odds of (N, M) similarities to tracks that were seen (M,) seconds ago."""
        different, different_var = _moments(self._different)
        prior = different + 0.65 * (1 - different)
        prior_var = (0.25 * (1 - different)) ** 2
        same, same_var = _moments(self._same + 30 * np.array([1, prior, prior**2 + prior_var]))
        # One variance for both kinds keeps the odds monotonic: more similar is never less likely.
        variance = np.maximum(
            (different_var + same_var * (1 + DRIFT * elapsed_s)) / 2, MIN_STD**2
        ).astype(similarities.dtype)
        slope = (same - different) / variance
        odds = similarities * slope
        odds -= slope * (same + different) / 2
        return np.clip(odds, MIN_LOG_ODDS, MAX_LOG_ODDS, out=odds)


def _add(sums: NDArray[np.float64], values: Floats) -> NDArray[np.float64]:
    if values.size == 0:
        return sums
    return FORGET * sums + [len(values), values.sum(), np.square(values).sum()]


def _moments(sums: NDArray[np.float64]) -> tuple[float, float]:
    mean = sums[1] / sums[0]
    return mean, max(sums[2] / sums[0] - mean**2, 1e-4)
