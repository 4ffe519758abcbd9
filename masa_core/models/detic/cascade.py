"""Detic's three-stage box cascade with a zero-shot classifier.

Cascade R-CNN, arXiv 1712.00726; Detic, arXiv 2201.02605.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from masa_core.models.boxes import decode_deltas
from masa_core.models.detic.rois import pool_boxes

_STDS = ((0.1, 0.1, 0.2, 0.2), (0.05, 0.05, 0.1, 0.1), (0.033, 0.033, 0.067, 0.067))
_LOGIT_SCALE = 50.0


class ZeroShotClassifier(nn.Module):
    """Cosine similarity of RoI features to one text embedding a class, times 50."""

    zs_weight: Tensor  # (D, C + 1), columns of unit length; the last is background, all zero

    def __init__(self, features: int, classes: int, dims: int = 512) -> None:
        super().__init__()
        self.linear = nn.Linear(features, dims)
        self.register_buffer("zs_weight", torch.zeros(dims, classes + 1))

    def forward(self, x: Tensor) -> Tensor:
        """(N, features) -> logits (N, C + 1)."""
        return _LOGIT_SCALE * F.normalize(self.linear(x), dim=1) @ self.zs_weight

    def set_classes(self, embeddings: Tensor) -> None:
        """Classify by embeddings (C, D), one row a class, of any length."""
        dims = self.linear.out_features
        if embeddings.ndim != 2 or embeddings.shape[1] != dims or not len(embeddings):
            raise ValueError(
                f"class embeddings must be of shape (classes, {dims}), "
                f"got {tuple(embeddings.shape)}"
            )
        columns = F.pad(F.normalize(embeddings.float(), dim=1), (0, 0, 0, 1)).T
        self.zs_weight = columns.contiguous().to(self.zs_weight)


class BoxHead(nn.Module):
    """One stage: RoI features to class logits and one box refinement for all classes."""

    def __init__(self, channels: int, classes: int, size: int = 7, hidden: int = 1024) -> None:
        super().__init__()
        self.shared_fcs = nn.ModuleList(
            (nn.Linear(channels * size * size, hidden), nn.Linear(hidden, hidden))
        )
        self.fc_cls = ZeroShotClassifier(hidden, classes)
        self.fc_reg = nn.Sequential(nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, 4))

    def forward(self, rois: Tensor) -> tuple[Tensor, Tensor]:
        """RoI features (N, C, 7, 7) -> logits (N, classes + 1), deltas (N, 4)."""
        x = rois.flatten(1)
        for layer in self.shared_fcs:
            x = layer(x).relu()
        return self.fc_cls(x), self.fc_reg(x)


class Cascade(nn.ModuleList):
    """Three box heads; each starts from the boxes that the one before it has refined."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__(BoxHead(channels, classes) for _ in _STDS)

    def forward(
        self, maps: Sequence[Tensor], proposals: Tensor, objectness: Tensor, size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Proposals (N, 4) with scores (N,) -> boxes (N, 4), class scores (N, C), same rows.

        Boxes are in px of the resized frame, `size` is its (height, width) without padding.
        A score is the geometric mean of the class probability (mean of the stages) and of the
        proposal's score.
        """
        boxes, probability = proposals, torch.zeros((), device=proposals.device)
        for head, stds in zip(self, _STDS, strict=True):
            logits, deltas = head(pool_boxes(maps, boxes, 7))
            boxes = decode_deltas(boxes, deltas.float(), stds, size)
            probability = probability + logits[:, :-1].float().sigmoid() / len(self)
        return boxes, (probability * objectness[:, None]).sqrt()

    def set_classes(self, embeddings: Tensor) -> None:
        for head in self:
            assert isinstance(head, BoxHead)
            head.fc_cls.set_classes(embeddings)
