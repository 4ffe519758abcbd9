"""How the feature maps of one image lie in the transformer's row of tokens."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
import torch.nn.functional as F
from torch import Tensor

from masa_core.models.preprocess import Geometry


@dataclass(frozen=True)
class Layout:
    """The maps of one image, fine to coarse, as S tokens.

    sizes: (height, width) of each map. valid: per map (1, h, w) bool, False in the padding.
    ratios: (1, levels, 2) float32, part of the map's width and height that is not padding.
    """

    sizes: list[tuple[int, int]]
    valid: list[Tensor]
    ratios: Tensor

    @classmethod
    def of(cls, maps: Sequence[Tensor], geometry: Geometry) -> Layout:
        pixels = maps[0].new_zeros(1, 1, geometry.padded_height, geometry.padded_width)
        pixels[..., : geometry.resized_height, : geometry.resized_width] = 1
        sizes = [(x.shape[-2], x.shape[-1]) for x in maps]
        valid = [F.interpolate(pixels, size)[0] > 0 for size in sizes]
        ratios = [
            torch.stack((mask[0, 0].float().mean(), mask[0, :, 0].float().mean())) for mask in valid
        ]
        return cls(sizes, valid, torch.stack(ratios)[None])

    @cached_property
    def shapes(self) -> Tensor:
        """(levels, 2) int64 height and width."""
        return torch.tensor(self.sizes, device=self.ratios.device)

    @cached_property
    def starts(self) -> Tensor:
        """(levels,) int64, index of each map's first token."""
        areas = self.shapes.prod(1)
        return areas.cumsum(0) - areas

    @cached_property
    def mask(self) -> Tensor:
        """(1, S) bool, False in the padding."""
        return torch.cat([mask.flatten(1) for mask in self.valid], dim=1)

    def anchors(self) -> tuple[Tensor, Tensor]:
        """A box around each token's cell, (1, S, 4) logits, and which of them may propose, (1, S).

        The boxes are cx, cy, w, h in units of the image without padding. Cells of the padding and
        boxes that come within a hundredth of the image's border may not; their logits are inf.
        """
        boxes = []
        for level, (mask, (height, width)) in enumerate(zip(self.valid, self.sizes, strict=True)):
            y, x = torch.meshgrid(
                torch.arange(height, device=mask.device),
                torch.arange(width, device=mask.device),
                indexing="ij",
            )
            centre = torch.stack((x, y), dim=-1).view(1, -1, 2) + 0.5
            extent = torch.stack((mask[0, 0].sum(), mask[0, :, 0].sum()))
            centre = centre / extent
            boxes.append(torch.cat((centre, torch.full_like(centre, 0.05 * 2**level)), dim=-1))
        anchors = torch.cat(boxes, dim=1)
        usable = ((anchors > 0.01) & (anchors < 0.99)).all(-1) & self.mask
        logits = (anchors / (1 - anchors)).log()
        return logits.masked_fill(~usable[..., None], math.inf), usable
