"""The assembled model: one backbone pass a frame, then boxes, embeddings and masks from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from masa_core.models.preprocess import Geometry, Preprocessing
from masa_core.models.roi_align import as_rois
from masa_core.models.roi_head import BoxHead, RoiHead
from masa_core.models.rpn import RPN, propose
from masa_core.models.track_head import EmbedHead, TrackHead
from masa_core.structures import Detections, Mask


class SharedDetector(Protocol):
    """What a checkpoint has besides the adapter: a backbone, and what else reads its taps.

    It may have `detect` (Grounding DINO, Detic), `masks` (SAM, Detic), or both. `prepare` makes
    what these two read; it is called once a frame, when one of them is first asked.
    """

    backbone: nn.Module  # (B, 3, H, W) images -> taps, fine to coarse

    def prepare(self, taps: list[Tensor]) -> Any: ...

    # classes: tuple[str, ...], with detect(maps, geometry) -> Detections in pixels of the frame
    # masks(maps, boxes, geometry) -> list[Mask]; boxes (N, 4) in pixels of the frame


@dataclass
class MasaFeatures:
    """What `Masa.encode` makes of one frame.

    pyramid: the five fused maps, (1, channels, h_i, w_i), fine to coarse. taps: the backbone's.
    """

    geometry: Geometry
    pyramid: list[Tensor]
    taps: list[Tensor]
    detector: SharedDetector | None

    @property
    def height(self) -> int:
        return self.geometry.height

    @property
    def width(self) -> int:
        return self.geometry.width

    @property
    def scale(self) -> tuple[float, float]:
        """(x, y) factors from frame pixels to those of the network's input."""
        return self.geometry.scale

    @cached_property
    def maps(self) -> Any:
        """What the checkpoint's own detector or mask decoder reads."""
        assert self.detector is not None
        return self.detector.prepare(self.taps)


class Masa(nn.Module):
    """A backbone, the MASA adapter and its heads; satisfies `masa_core.runtime.protocol.Model`.

    Exactly one of backbone (a model without a detector of its own) and detector is given; which
    one decides the parameter names, as in the published checkpoints. adapter: pyramid and fusion.
    The heads read the first ``roi_levels`` levels of the pyramid, the proposals all of them.

    max_detections: of the distilled detection head.
    """

    def __init__(
        self,
        name: str,
        preprocessing: Preprocessing,
        adapter: tuple[nn.Module, nn.Module],
        rpn: RPN,
        box_head: BoxHead,
        embed_head: EmbedHead,
        strides: Sequence[int],
        roi_levels: int,
        backbone: nn.Module | None = None,
        detector: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.name = name
        self.preprocessing = preprocessing
        self.strides = tuple(strides)
        self.max_detections = 50
        if backbone is not None:
            self.backbone = backbone
        self.detector: Any = detector
        self.masa_adapter = nn.Sequential(*adapter)
        self.rpn_head = rpn
        self.roi_head = RoiHead(box_head, strides[:roi_levels])
        self.track_head = TrackHead(embed_head, strides[:roi_levels])
        self.has_detector = True  # the distilled head, where the checkpoint has no other
        self.has_proposals = True  # `detect_objects` may be called
        self.has_masks = hasattr(detector, "masks")

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels of `detect`; those of a prompt or vocabulary may change."""
        return getattr(self.detector, "classes", ("object",))

    def set_prompt(self, prompt: str | Sequence[str]) -> tuple[str, ...]:
        """Detect other classes from the next frame on: "person, traffic light", or their names.

        Returns the classes. Raises ValueError where the detector takes no prompt, or where the
        prompt names nothing; the old classes then stay.
        """
        if not hasattr(self.detector, "set_prompt"):
            raise ValueError(f"the detector of {self.name} takes no prompt: its classes are fixed")
        names: tuple[str, ...] = self.detector.set_prompt(prompt)
        return names

    @torch.inference_mode()
    def encode(self, frame_bgr: NDArray[np.uint8]) -> MasaFeatures:
        """One pass of backbone and adapter over a (H, W, 3) uint8 BGR frame of any size."""
        like = self.track_head.embed_head.fc_embed.weight
        images, geometry = self.preprocessing(frame_bgr, like.device, like.dtype)
        backbone = self.backbone if self.detector is None else self.detector.backbone
        taps = backbone(images)
        return MasaFeatures(geometry, self.masa_adapter(taps), taps, self.detector)

    @torch.inference_mode()
    def detect(self, features: MasaFeatures) -> Detections:
        """The checkpoint's own detector, or the objects of any kind of the distilled head."""
        if hasattr(self.detector, "detect"):
            found: Detections = self.detector.detect(features.maps, features.geometry)
            return found
        return self.detect_objects(features)

    @torch.inference_mode()
    def detect_objects(self, features: MasaFeatures) -> Detections:
        """The distilled head: objects of any kind, label 0, ``max_detections`` at most."""
        size = (features.geometry.resized_height, features.geometry.resized_width)
        logits, deltas = self.rpn_head(features.pyramid)
        proposals, _ = propose(
            [level[0] for level in logits], [level[0] for level in deltas], self.strides, size
        )
        boxes, scores = self.roi_head.predict(
            features.pyramid, proposals, size, self.max_detections
        )
        return Detections(
            features.geometry.to_frame(boxes).cpu().numpy(),
            scores.cpu().numpy(),
            np.zeros(len(boxes), np.int64),
        )

    @torch.inference_mode()
    def embed(self, features: MasaFeatures, boxes_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, 256) float32 embeddings of (N, 4) boxes in pixels of the frame; N may be 0."""
        if len(boxes_xyxy) == 0:
            width = self.track_head.embed_head.fc_embed.out_features
            return np.zeros((0, width), np.float32)
        boxes = features.geometry.to_resized(self._boxes(features, boxes_xyxy))
        embeddings = self.track_head(features.pyramid, as_rois(boxes))
        rows: NDArray[np.float32] = embeddings.float().cpu().numpy()
        return rows

    @torch.inference_mode()
    def masks(self, features: MasaFeatures, boxes_xyxy: NDArray[np.float32]) -> list[Mask]:
        """One mask for each of (N, 4) boxes in pixels of the frame. N may be 0."""
        if not self.has_masks:
            raise ValueError(f"model {self.name} gives no masks")
        if len(boxes_xyxy) == 0:
            return []
        boxes = self._boxes(features, boxes_xyxy)
        found: list[Mask] = self.detector.masks(features.maps, boxes, features.geometry)
        return found

    def _boxes(self, features: MasaFeatures, boxes_xyxy: NDArray[np.float32]) -> Tensor:
        boxes = np.asarray(boxes_xyxy, np.float32)
        if boxes.ndim != 2 or boxes.shape[1] != 4 or not np.isfinite(boxes).all():
            raise ValueError(f"expected (N, 4) finite boxes, got an array of shape {boxes.shape}")
        # RoIAlign takes samples all over a box: those of one far larger than the frame have no end.
        size = np.array([features.width, features.height] * 2, np.float32)
        boxes = boxes.clip(-size, 2 * size)
        return torch.from_numpy(boxes).to(features.pyramid[0].device)
