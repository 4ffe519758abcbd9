"""What is visible in a frame, as truth and detectors know it."""

from __future__ import annotations

from dataclasses import dataclass

from masa_core.evaluation.bdd_labels import CLASSES
from masa_core.evaluation.drive.scene import Shown
from masa_core.masks import encode_mask
from masa_core.structures import Mask

CATEGORIES = (*CLASSES, "traffic sign")
_SMALLEST_PX, _SMALLEST_SHARE = 6, 4e-5  # of the frame: what is less visible has no label
_OCCLUDED = 0.05  # hidden share from which an object counts as occluded


@dataclass(frozen=True)
class Label:
    """One object in one frame. box: x1, y1, x2, y2, the edges of its mask.

    occlusion: share of the object that others hide, 0..1.
    """

    id: int
    category: str
    mask: Mask
    occlusion: float
    truncated: bool

    @property
    def occluded(self) -> bool:
        return self.occlusion >= _OCCLUDED

    @property
    def box(self) -> tuple[int, int, int, int]:
        mask = self.mask
        return mask.x, mask.y, mask.x + mask.width, mask.y + mask.height


def labels_of(shown: list[Shown], frame_px: int) -> list[Label]:
    """Labels of what enough pixels are visible of."""
    smallest = max(_SMALLEST_PX, _SMALLEST_SHARE * frame_px)
    return [
        Label(
            item.actor.id,
            item.actor.look.category,
            encode_mask(item.visible, item.x, item.y),
            item.occlusion,
            item.truncated,
        )
        for item in shown
        if item.visible_px >= smallest
    ]
