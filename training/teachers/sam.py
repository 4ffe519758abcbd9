"""Everything that SAM finds: the teacher of the paper (section 4.1), as SA-1B was made."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from segment_anything import SamAutomaticMaskGenerator
from segment_anything.modeling import Sam as PackageSam
from torch import Tensor, nn

from masa_core.masks import encode_mask, mask_boxes
from masa_core.models.sam import Sam
from masa_core.runtime import ModelError, load_model
from training.teachers import Found

# Of RGB; segment_anything has them in its builders only.
_MEAN, _STD = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]


@dataclass(frozen=True)
class Settings:
    """Those of the published segments. min_region_area: holes and islands of fewer px go; the
    paper removes them and does not say below which size."""

    points_per_side: int = 32
    points_per_batch: int = 64
    pred_iou: float = 0.88
    stability: float = 0.95
    box_nms: float = 0.7
    min_region_area: int = 100


class SamEverything:
    """Prompts SAM with a grid of points, and keeps what it is sure of: see `Settings`."""

    def __init__(self, sam: Sam, settings: Settings) -> None:
        self._generator = SamAutomaticMaskGenerator(
            _as_package(sam),
            points_per_side=settings.points_per_side,
            points_per_batch=settings.points_per_batch,
            pred_iou_thresh=settings.pred_iou,
            stability_score_thresh=settings.stability,
            stability_score_offset=1.0,
            box_nms_thresh=settings.box_nms,
            min_mask_region_area=settings.min_region_area,
            output_mode="binary_mask",
        )

    def __call__(self, image_bgr: NDArray[np.uint8]) -> Found:
        rows = self._generator.generate(np.ascontiguousarray(image_bgr[:, :, ::-1]))
        rows.sort(key=lambda row: -row["predicted_iou"])
        masks = [encode_mask(row["segmentation"]) for row in rows]
        keys = ("stability_score", "point_coords", "crop_box")
        return Found(
            mask_boxes(masks),
            np.array([row["predicted_iou"] for row in rows], np.float32),
            masks,
            [{key: row[key] for key in keys} for row in rows],
        )


def load_sam(
    name: str, checkpoint: str | None, device: str, settings: Settings, random_weights: bool
) -> SamEverything:
    """name: sam_vitb, sam_vith or mobile_sam. Raises ModelError."""
    model = load_model(name, device, weights=checkpoint, random_weights=random_weights)
    sam = getattr(model, "sam", None)
    if not isinstance(sam, Sam):
        raise ModelError(f"{name} is not a SAM: choose sam_vitb, sam_vith or mobile_sam")
    return SamEverything(sam, settings)


class _Encoder(nn.Module):
    """Our encoder, which takes less memory than the package's and gives the same, in its place."""

    def __init__(self, sam: Sam) -> None:
        super().__init__()
        self.sam = sam
        self.img_size = sam.size

    def forward(self, images: Tensor) -> Tensor:
        return self.sam.prepare(self.sam.backbone(images))


def _as_package(sam: Sam) -> PackageSam:
    model = PackageSam(_Encoder(sam), sam.prompt_encoder, sam.mask_decoder, _MEAN, _STD)
    return model.to(next(sam.parameters()).device).eval().requires_grad_(False)
