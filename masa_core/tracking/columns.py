"""A table with one array an attribute, so that all tracks are computed at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Columns:
    """Every attribute is a column of M rows. Rows are added at the end and never reordered.

    `ids` (M,) int64 rise from row to row.
    """

    ids: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)

    def append(self, **columns: NDArray[Any]) -> None:
        """Add N rows; every column must be given. The first rows decide what a row looks like."""
        was_empty = len(self) == 0
        for name, column in columns.items():
            rows = column if was_empty else np.concatenate((getattr(self, name), column))
            setattr(self, name, rows)

    def keep(self, rows: NDArray[np.bool_]) -> None:
        """Forget all rows but those of the (M,) boolean mask."""
        if not rows.all():
            for name, column in vars(self).items():
                setattr(self, name, column[rows])

    def rows_of(self, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """(N,) rows of N ids, all of which must be there."""
        return np.searchsorted(self.ids, ids)
