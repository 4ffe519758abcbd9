"""Assembled models with few channels, which run in milliseconds."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from masa_core.models.backbones.sam_vit import SamViT
from masa_core.models.fusion import DeformFusion, DyHeadFusion
from masa_core.models.masa import Masa
from masa_core.models.preprocess import Preprocessing
from masa_core.models.pyramid import FPN, SimpleFPN
from masa_core.models.roi_head import BoxHead
from masa_core.models.rpn import RPN
from masa_core.models.sam import Sam
from masa_core.models.track_head import EmbedHead

SIZE = 128  # px a side of the input
STRIDES = (4, 8, 16, 32, 64)


class Backbone(nn.Module):
    """Four taps of 8 channels at strides 4..32."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 4, stride=4)
        self.halve = nn.ModuleList(nn.Conv2d(8, 8, 3, stride=2, padding=1) for _ in range(3))

    def forward(self, images: Tensor) -> list[Tensor]:
        taps = [self.stem(images)]
        for conv in self.halve:
            taps.append(conv(taps[-1]))
        return taps


def small_masa() -> Masa:
    """In the manner of masa_r50. Embeddings have 16 numbers."""
    torch.manual_seed(0)
    return Masa(
        "small",
        Preprocessing(SIZE - 6, SIZE, 32),  # not a multiple: part of the input is padding
        (FPN([8] * 4, 32), DeformFusion(32)),
        RPN(32),
        BoxHead(32, 64, convs=1, fcs=1),
        EmbedHead(32, 64, 16),
        STRIDES,
        4,
        backbone=Backbone(),
    ).eval()


def small_sam() -> Sam:
    """Four taps of 24 channels at stride 16, masks of 32 x 32."""
    torch.manual_seed(0)
    sam = Sam(SamViT(24, 4, 2, (0, 1, 2, 3), size=SIZE, embedding=32), size=SIZE, embedding=32)
    with torch.no_grad():
        for parameter in sam.parameters():  # biases and position tables begin as zeros
            parameter.add_(torch.randn_like(parameter) * 0.2)
    return sam.eval()


def small_masa_sam() -> Masa:
    """In the manner of masa_sam_vitb. Embeddings have 16 numbers."""
    sam = small_sam()
    return Masa(
        "small_sam",
        Preprocessing(SIZE, SIZE, SIZE),
        (SimpleFPN(24, 32), DyHeadFusion(32)),
        RPN(32),
        BoxHead(32, 64),
        EmbedHead(32, 64, 16),
        STRIDES,
        4,
        detector=sam,
    ).eval()
