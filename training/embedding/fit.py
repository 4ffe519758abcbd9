"""What tells instances apart: colour words by k-means, and a projection by discriminant analysis.

Discriminant analysis needs the sums of all measures and of their products alone, so that any
number of views passes through a memory of constant size.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from training.embedding.form import Words

_ROUNDS = 15  # of k-means
_SOFTNESS = 1.5  # temperature, in mean squared distances of a pixel to its word


def find_words(pixels: NDArray[np.float32], number: int, random: np.random.RandomState) -> Words:
    """k-means of (M, 3) pixels, M at least `number`."""
    centres = pixels[random.choice(len(pixels), number, replace=False)].astype(np.float64)
    for _ in range(_ROUNDS):
        nearest = _squared_distances(pixels, centres).argmin(axis=1)
        counts = np.bincount(nearest, minlength=number)
        for axis in range(pixels.shape[1]):
            sums = np.bincount(nearest, pixels[:, axis], minlength=number)
            centres[:, axis] = np.where(counts > 0, sums / np.maximum(counts, 1), centres[:, axis])
    spread = _squared_distances(pixels, centres).min(axis=1).mean()
    return Words(centres.astype(np.float32), float(_SOFTNESS * spread))


def _squared_distances(
    points: NDArray[np.float32], centres: NDArray[np.float64]
) -> NDArray[np.float64]:
    found = (points**2).sum(axis=1)[:, None] - 2 * points @ centres.T + (centres**2).sum(axis=1)
    return np.asarray(np.maximum(found, 0), np.float64)


class Moments:
    """Scatter of measures within instances and in all, added up instance by instance."""

    def __init__(self, size: int) -> None:
        self.instances = 0
        self._views, self._freedom = 0.0, 0.0  # weights of the views; less one for each instance
        self._sum = np.zeros(size)
        self._products = np.zeros((size, size))
        self._within = np.zeros((size, size))

    def add(self, views: NDArray[np.float32]) -> None:
        """(n, size) measures of one instance, n at least 2."""
        self.instances += 1
        self._views += len(views)
        self._freedom += len(views) - 1
        views = views.astype(np.float64)
        centred = views - views.mean(axis=0)
        self._sum += views.sum(axis=0)
        self._products += views.T @ views
        self._within += centred.T @ centred

    def include(self, other: Moments, share: float) -> None:
        """All that another one has seen, weighed so that it makes up this share of the views."""
        weight = share / (1 - share) * self._views / max(other._views, 1.0)
        self.instances += other.instances
        self._views += weight * other._views
        self._freedom += weight * other._freedom
        self._sum += weight * other._sum
        self._products += weight * other._products
        self._within += weight * other._within

    def mean(self) -> NDArray[np.float64]:
        return self._sum / self._views

    def within(self) -> NDArray[np.float64]:
        """Covariance of the views of an instance."""
        return self._within / self._freedom

    def total(self) -> NDArray[np.float64]:
        mean = self.mean()
        return self._products / self._views - np.outer(mean, mean)


def discriminant(
    within: NDArray[np.float64], total: NDArray[np.float64], size: int, shrinkage: float
) -> NDArray[np.float32]:
    """(D, size) projection after which views of one instance scatter alike in all directions.

    Kept are the directions in which instances differ most. shrinkage: of the mean variance within
    instances, added to all, so that directions that few views tell of are not blown up.
    """
    ridge = shrinkage * np.trace(within) / len(within)
    variances, axes = np.linalg.eigh(within + ridge * np.eye(len(within)))
    whitening = (axes * variances**-0.5) @ axes.T
    _, directions = np.linalg.eigh(whitening @ total @ whitening)
    projection = whitening @ directions[:, ::-1][:, :size]
    # An eigenvector's sign is arbitrary, and its length makes no difference: 1 suits fp16.
    largest = np.abs(projection).argmax(axis=0)
    projection *= np.sign(projection[largest, np.arange(projection.shape[1])])
    return (projection / np.abs(projection).max()).astype(np.float32)
