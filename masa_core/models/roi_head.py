"""Second stage of the class-agnostic detection head: proposals -> objects."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import nms

from masa_core.models.boxes import decode_deltas
from masa_core.models.layers import ConvNorm
from masa_core.models.roi_align import as_rois, pool

STDS = (0.1, 0.1, 0.2, 0.2)
MIN_SCORE = 0.02
NMS_IOU = 0.5
_ROI = 7  # bins a side


class BoxHead(nn.Module):
    """forward: pooled (N, channels, 7, 7) -> ((N, 2) logits: object, background; (N, 4) deltas).

    ``convs`` 3x3 convolutions with batch norm (4 in R50, else none), then ``fcs`` fully connected
    layers (1 in R50, else 2).
    """

    def __init__(
        self, channels: int = 256, hidden: int = 1024, convs: int = 0, fcs: int = 2
    ) -> None:
        super().__init__()
        if convs:
            self.shared_convs = nn.Sequential(
                *(ConvNorm(channels, channels, 3, "bn", relu=True) for _ in range(convs))
            )
        widths = [channels * _ROI * _ROI] + [hidden] * fcs
        self.shared_fcs = nn.ModuleList(nn.Linear(width, hidden) for width in widths[:-1])
        self.fc_cls = nn.Linear(hidden, 2)
        self.fc_reg = nn.Linear(hidden, 4)
        nn.init.normal_(self.fc_cls.weight, 0, 0.01)
        nn.init.normal_(self.fc_reg.weight, 0, 0.001)
        self._convs = convs

    def forward(self, pooled: Tensor) -> tuple[Tensor, Tensor]:
        hidden = self.shared_convs(pooled) if self._convs else pooled
        hidden = hidden.flatten(1)
        for fc in self.shared_fcs:
            hidden = fc(hidden).relu_()
        return self.fc_cls(hidden), self.fc_reg(hidden)


class RoiHead(nn.Module):
    """The box head with its pooling and decoding."""

    def __init__(self, bbox_head: BoxHead, strides: Sequence[int]) -> None:
        super().__init__()
        self.bbox_head = bbox_head
        self.strides = tuple(strides)

    def predict(
        self, levels: Sequence[Tensor], proposals: Tensor, size: tuple[int, int], keep: int = 50
    ) -> tuple[Tensor, Tensor]:
        """At most ``keep`` objects of image 0: (M, 4) float32 boxes and (M,) scores, sorted.

        proposals: (N, 4) boxes in pixels of the input; size: (height, width) of the image in it.
        Scores above 0.02, after NMS with IoU 0.5.
        """
        logits, deltas = self.bbox_head(pool(levels, as_rois(proposals), self.strides))
        scores = logits.float().softmax(dim=1)[:, 0]
        boxes = decode_deltas(proposals, deltas.float(), STDS, size)
        likely = torch.nonzero(scores > MIN_SCORE).flatten()
        kept = likely[nms(boxes[likely], scores[likely], NMS_IOU)[:keep]]
        return boxes[kept], scores[kept]
