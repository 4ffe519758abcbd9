"""A model like the published ones that trains in seconds."""

from __future__ import annotations

import torch
from torch import nn

from masa_core.models.fusion import DeformFusion
from masa_core.models.masa import Masa
from masa_core.models.preprocess import Preprocessing
from masa_core.models.pyramid import FPN
from masa_core.models.roi_head import BoxHead
from masa_core.models.rpn import RPN
from masa_core.models.track_head import EmbedHead


def small_masa() -> Masa:
    """In the manner of masa_r50, with few channels."""

    class Backbone(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.stem = nn.Conv2d(3, 8, 4, stride=4)
            self.halve = nn.ModuleList(nn.Conv2d(8, 8, 2, stride=2) for _ in range(3))

        def forward(self, images):
            taps = [self.stem(images)]
            for conv in self.halve:
                taps.append(conv(taps[-1]))
            return taps

    torch.manual_seed(0)
    parts = FPN([8] * 4, 32), DeformFusion(32)
    heads = RPN(32), BoxHead(32, 64, convs=1, fcs=1), EmbedHead(32, 64, 16)
    strides = (4, 8, 16, 32, 64)
    return Masa("small", Preprocessing(), parts, *heads, strides, 4, backbone=Backbone())
