"""Instance embeddings for association (paper section 3.2.2)."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from masa_core.models.layers import ConvNorm
from masa_core.models.roi_align import pool

_ROI = 7  # bins a side


class EmbedHead(nn.Module):
    """forward: pooled (N, channels, 7, 7) -> (N, embedding) vectors, not normalised.

    Their length carries meaning: the bi-softmax of the trackers works on raw dot products.
    """

    def __init__(self, channels: int = 256, hidden: int = 1024, embedding: int = 256) -> None:
        super().__init__()
        self.convs = nn.Sequential(
            *(ConvNorm(channels, channels, 3, "gn", relu=True) for _ in range(4))
        )
        self.fcs = nn.ModuleList([nn.Linear(channels * _ROI * _ROI, hidden)])
        self.fc_embed = nn.Linear(hidden, embedding)
        nn.init.normal_(self.fc_embed.weight, 0, 0.01)
        nn.init.zeros_(self.fc_embed.bias)

    def forward(self, pooled: Tensor) -> Tensor:
        hidden = self.convs(pooled).flatten(1)
        embeddings: Tensor = self.fc_embed(self.fcs[0](hidden).relu_())
        return embeddings


class TrackHead(nn.Module):
    """forward: levels and (N, 5) rois (image index, box in pixels of the input) -> (N, D)."""

    def __init__(self, embed_head: EmbedHead, strides: Sequence[int]) -> None:
        super().__init__()
        self.embed_head = embed_head
        self.strides = tuple(strides)

    def forward(self, levels: Sequence[Tensor], rois: Tensor) -> Tensor:
        embeddings: Tensor = self.embed_head(pool(levels, rois, self.strides))
        return embeddings
