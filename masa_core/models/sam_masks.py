"""SAM alone, as a source of masks for boxes that another model tracks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from masa_core.models.checkpoints import load_official
from masa_core.models.preprocess import Geometry, Preprocessing
from masa_core.models.sam import Sam
from masa_core.structures import Detections, Mask


@dataclass(frozen=True)
class SamFeatures:
    """What `SamMasks.encode` makes of one frame."""

    geometry: Geometry
    embedding: Tensor

    @property
    def height(self) -> int:
        return self.geometry.height

    @property
    def width(self) -> int:
        return self.geometry.width


class SamMasks(nn.Module):
    """Satisfies `masa_core.runtime.protocol.Model`, but gives masks only: no boxes to track by
    itself, no embeddings. Its preprocessing is that of SAM inside a MASA model."""

    classes: tuple[str, ...] = ()
    has_detector = False
    has_masks = True

    def __init__(self, name: str, sam: Sam) -> None:
        super().__init__()
        self.name = name
        self.sam = sam
        self.preprocessing = Preprocessing(sam.size, sam.size, sam.size)

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Weights from a file of Segment Anything, of MobileSAM, or of a MASA model with SAM."""
        if any(key.startswith("detector.") for key in state):
            load_official(self.sam, state, prefix="detector.")
        else:
            renamed = {k.replace("image_encoder.", "backbone.", 1): v for k, v in state.items()}
            load_official(self.sam, renamed)

    @torch.inference_mode()
    def encode(self, frame_bgr: NDArray[np.uint8]) -> SamFeatures:
        """One pass of SAM's image encoder over a (H, W, 3) uint8 BGR frame."""
        like = next(self.sam.backbone.parameters())
        images, geometry = self.preprocessing(frame_bgr, like.device, like.dtype)
        return SamFeatures(geometry, self.sam.prepare(self.sam.backbone(images)))

    @torch.inference_mode()
    def masks(self, features: SamFeatures, boxes_xyxy: NDArray[np.float32]) -> list[Mask]:
        """One mask for each of (N, 4) boxes in pixels of the frame. N may be 0."""
        boxes = torch.from_numpy(np.asarray(boxes_xyxy, np.float32).reshape(-1, 4))
        return self.sam.masks(
            features.embedding, boxes.to(features.embedding.device), features.geometry
        )

    def detect(self, features: Any) -> Detections:
        raise ValueError(f"{self.name} finds no boxes: it cuts out masks of given ones")

    def embed(self, features: Any, boxes_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        raise ValueError(f"{self.name} gives no embeddings: track with another model")
