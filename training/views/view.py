"""An image under augmentation, with its instances."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from masa_core.structures import Mask

if TYPE_CHECKING:
    from training.sa1b import Segments


@dataclass(eq=False)
class View:
    """One view of an image, and its N instances.

    image: (H, W, 3) uint8 BGR.
    boxes: (N, 4) float32, x1 y1 x2 y2 in pixels of this view; they may stick out of it.
    ids: (N,) int64 > 0; the same id in two views is the same instance, mixed-in ones too.
    masks: N masks in pixels of the instance's *source* image. They are never warped here:
    `training.losses.masks.mask_targets` samples them where a loss needs them.
    to_view: (N, 3, 3) float64 homogeneous matrices from source image to view. A pixel (column j,
    row i) covers j..j+1, i..i+1 in both, as boxes count.

    Transforms give new views and leave the old one as it is.
    """

    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    ids: NDArray[np.int64]
    masks: list[Mask]
    to_view: NDArray[np.float64]

    @classmethod
    def of_segments(cls, image: NDArray[np.uint8], segments: Segments) -> View:
        """The image itself, with its segments as they are."""
        return cls(
            image,
            np.asarray(segments.boxes, np.float32),
            np.asarray(segments.ids, np.int64),
            list(segments.masks),
            np.tile(np.eye(3), (len(segments.ids), 1, 1)),
        )

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: ArrayLike) -> View:
        """The same image with some of the instances: indices or a boolean mask."""
        rows = np.asarray(rows)
        index = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        return replace(
            self,
            boxes=self.boxes[index],
            ids=self.ids[index],
            masks=[self.masks[i] for i in index],
            to_view=self.to_view[index],
        )

    def moved(self, image: NDArray[np.uint8], matrix: NDArray[np.float64]) -> View:
        """The instances where ``matrix`` (3, 3) moves them, on the image moved so already.

        A box becomes the upright hull of its moved corners.
        """
        boxes = self.boxes.astype(np.float64)
        corners = boxes[:, [[0, 1], [2, 1], [0, 3], [2, 3]]]
        points = corners @ matrix[:2, :2].T + matrix[:2, 2]
        hull = np.concatenate((points.min(axis=1), points.max(axis=1)), axis=1)
        return replace(
            self, image=image, boxes=hull.astype(np.float32), to_view=matrix @ self.to_view
        )

    def joined(self, other: View, image: NDArray[np.uint8]) -> View:
        """The instances of both, which lie on ``image``."""
        return View(
            image,
            np.concatenate((self.boxes, other.boxes)),
            np.concatenate((self.ids, other.ids)),
            self.masks + other.masks,
            np.concatenate((self.to_view, other.to_view)),
        )

    def clipped(self) -> NDArray[np.float32]:
        """(N, 4) boxes cut to the view."""
        height, width = self.image.shape[:2]
        return self.boxes.clip(0, np.array([width, height, width, height], np.float32))

    def inside(self) -> NDArray[np.bool_]:
        """(N,) whether a box has a part within the view."""
        height, width = self.image.shape[:2]
        x1, y1, x2, y2 = self.boxes.T
        return (x1 < width) & (y1 < height) & (x2 > 0) & (y2 > 0)

    def larger_than(self, side: float) -> NDArray[np.bool_]:
        """(N,) whether a box is wider and higher than ``side`` px."""
        return (self.boxes[:, 2:] - self.boxes[:, :2] > side).all(axis=1)
