"""The Detic detector, from feature maps of the shared backbone to boxes, classes and masks."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from masa_core.masks.placing import place_masks
from masa_core.models.backbones.swin import Swin
from masa_core.models.detic.cascade import Cascade
from masa_core.models.detic.mask_head import MaskHead
from masa_core.models.detic.neck import Neck
from masa_core.models.detic.proposals import ProposalHead
from masa_core.models.detic.selection import select
from masa_core.models.preprocess import Geometry
from masa_core.structures import Detections, Mask

_LVIS_CLASSES = 1203  # of the released checkpoint, in the order of LVIS v1's category ids


class Detic(nn.Module):
    """Swin-B, CenterNet2 proposals, a three-stage cascade, a zero-shot classifier, a mask head.

    Whoever owns the model runs the backbone once a frame, for the adapter and for this detector:

        taps = detic.backbone(images)
        maps = detic.prepare(taps)
        detections = detic.detect(maps, geometry)
        masks = detic.masks(maps, boxes, geometry)

    One image at a time. The parameter names are those of the official checkpoint behind its
    prefix "detector.".

    classes: names of the labels. score_thr, nms_iou, max_detections: of `detect`; the defaults
    are those of the open-vocabulary benchmark (Detic alone uses 0.01, 0.5 and 100).
    """

    def __init__(
        self, classes: int = _LVIS_CLASSES, backbone: Swin | None = None, channels: int = 256
    ) -> None:
        super().__init__()
        self.classes = tuple(f"class {i}" for i in range(classes))
        self.score_thr = 0.02
        self.nms_iou = 0.5
        self.max_detections = 50
        self.backbone = Swin(window=7) if backbone is None else backbone
        self.neck = Neck(self.backbone.channels, channels)
        self.rpn_head = ProposalHead(channels)
        self.roi_head = RoIHead(channels, classes)

    def prepare(self, taps: Sequence[Tensor]) -> list[Tensor]:
        """What `detect` and `masks` read: five maps, (1, channels, h, w), strides 8 to 128."""
        maps: list[Tensor] = self.neck(taps)
        return maps

    def detect(self, maps: Sequence[Tensor], geometry: Geometry) -> Detections:
        """Boxes in px of the frame, best first, after NMS."""
        boxes, scores, labels = self(maps, geometry)
        return Detections(boxes.cpu().numpy(), scores.cpu().numpy(), labels.cpu().numpy())

    def forward(self, maps: Sequence[Tensor], geometry: Geometry) -> tuple[Tensor, Tensor, Tensor]:
        """`detect` as tensors: boxes (N, 4), scores (N,), labels (N,)."""
        size = (geometry.resized_height, geometry.resized_width)
        proposals, objectness = self.rpn_head.propose(maps)
        boxes, scores = self.roi_head.bbox_head(maps, proposals, objectness, size)
        boxes, scores, labels = select(
            boxes, scores, self.score_thr, self.nms_iou, self.max_detections
        )
        return geometry.to_frame(boxes), scores, labels

    def masks(self, maps: Sequence[Tensor], boxes: Tensor, geometry: Geometry) -> list[Mask]:
        """One mask for each of boxes (N, 4), px of the frame, whatever found them."""
        logits = self.roi_head.mask_head(maps, geometry.to_resized(boxes.float()))
        probabilities = logits.float().sigmoid().cpu().numpy()
        return place_masks(probabilities, boxes.cpu().numpy(), geometry.height, geometry.width)

    def set_vocabulary(self, names: Sequence[str], embeddings: Tensor) -> None:
        """Detect other classes from now on: their names, and their text embeddings (C, 512).

        The embeddings are CLIP ViT-B/32's, of any length. Raises ValueError for another shape.
        """
        if len(names) != len(embeddings):
            raise ValueError(f"{len(names)} class names for {len(embeddings)} embeddings")
        self.roi_head.bbox_head.set_classes(embeddings)
        self.classes = tuple(names)


class RoIHead(nn.Module):
    """What looks at boxes, under the names of the official checkpoints."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.bbox_head = Cascade(channels, classes)
        self.mask_head = MaskHead(channels)
