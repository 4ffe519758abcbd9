"""Optimal one-to-one assignment, which costs little where there is nothing to decide."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

Rows = NDArray[np.int64]


def assign(evidence: NDArray[np.float64], threshold: float) -> tuple[Rows, Rows]:
    """Pairs (row, column) of (N, M) evidence with the greatest sum of evidence above threshold.

    Every pair is above the threshold; no row and no column is used twice.
    """
    rows, columns = np.nonzero(evidence > threshold)
    # A pair that has no rival in its row or column is part of every optimal assignment.
    alone = (np.bincount(rows)[rows] == 1) & (np.bincount(columns)[columns] == 1)
    open_rows, open_columns = np.unique(rows[~alone]), np.unique(columns[~alone])
    rows, columns = rows[alone], columns[alone]
    if open_rows.size:
        gain = np.maximum(evidence[np.ix_(open_rows, open_columns)] - threshold, 0)
        i, j = linear_sum_assignment(gain, maximize=True)
        won = gain[i, j] > 0
        rows = np.concatenate([rows, open_rows[i[won]]])
        columns = np.concatenate([columns, open_columns[j[won]]])
    return rows, columns


def unrivalled(
    evidence: NDArray[np.float64], rows: Rows, columns: Rows, margin: float
) -> NDArray[np.bool_]:
    """(K,) whether each of K assigned pairs beats everything else in its row and column."""
    own = evidence[rows, columns]
    evidence[rows, columns] = -np.inf  # and back: a copy of all pairs would cost more
    best = np.maximum(evidence.max(axis=1)[rows], evidence.max(axis=0)[columns])
    evidence[rows, columns] = own
    return np.asarray(own - best > margin)
