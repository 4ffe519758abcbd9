"""Teachers: what finds the segments in an image that training then learns from."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from masa_core.structures import Mask


@dataclass(frozen=True, eq=False)
class Found:
    """What a teacher finds in one image, N rows, best first.

    boxes: (N, 4) float32, x1 y1 x2 y2 px. scores: (N,) float32, 0..1. masks: N, in pixels of the
    image; None where the teacher gives boxes only. details: what else to write of each.
    """

    boxes: NDArray[np.float32]
    scores: NDArray[np.float32]
    masks: list[Mask] | None
    details: list[Mapping[str, Any]] = field(default_factory=list)


Teacher = Callable[[NDArray[np.uint8]], Found]  # of a (H, W, 3) uint8 BGR image
