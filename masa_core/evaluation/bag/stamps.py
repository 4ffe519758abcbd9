"""Which image each label belongs to, by their stamps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

NO_IMAGE = -1


def match_stamps(
    labels_ns: NDArray[np.int64], images_ns: NDArray[np.int64], tolerance_ns: int
) -> NDArray[np.int64]:
    """(L,) index of the image of each label, NO_IMAGE where none is within the tolerance.

    labels_ns: (L,) stamps of the labels. images_ns: (I,) stamps of the images, in any order.
    The nearest image is taken, of two equally near ones the earlier. Where two labels want the
    same image, the nearer has it and the other has none.
    """
    found = np.full(len(labels_ns), NO_IMAGE, np.int64)
    if not len(images_ns):
        return found
    order = np.argsort(images_ns, kind="stable")
    images_ns = images_ns[order]
    after = np.searchsorted(images_ns, labels_ns)
    before = np.maximum(after - 1, 0)
    after = np.minimum(after, len(images_ns) - 1)
    gap_before, gap_after = np.abs(labels_ns - images_ns[before]), images_ns[after] - labels_ns
    nearest = np.where(gap_before <= np.abs(gap_after), before, after)
    gaps = np.abs(labels_ns - images_ns[nearest])
    taken: set[int] = set()
    for label in np.argsort(gaps, kind="stable").tolist():
        image = int(order[nearest[label]])
        if gaps[label] <= tolerance_ns and image not in taken:
            found[label] = image
            taken.add(image)
    return found


def usual_period_ns(stamps_ns: NDArray[np.int64]) -> int:
    """The median time between neighbours, deaf to gaps; 0 for fewer than two stamps."""
    gaps = np.diff(np.unique(stamps_ns))
    return int(np.median(gaps)) if len(gaps) else 0
