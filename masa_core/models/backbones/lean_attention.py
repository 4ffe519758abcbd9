"""The attention of SAM's encoder, a few rows of tokens at a time.

The package holds the logits of all pairs of tokens at once: for ViT-B at 1024 px 0.8 GB, several
times over. Rows of queries do not depend on each other, so the same numbers come out of a part of
the memory, which then mostly stays in the cache.
"""

from __future__ import annotations

import torch
from segment_anything.modeling.image_encoder import Attention, get_rel_pos
from torch import Tensor, nn

_QUERIES = 512  # at a time, of each window and head


class LeanAttention(nn.Module):
    """Has the weights of the package's attention, under the same names.

    forward: (B, H, W, C) tokens -> the same shape.
    """

    def __init__(self, attention: Attention) -> None:
        super().__init__()
        self.heads, self.scale = attention.num_heads, attention.scale
        self.qkv, self.proj = attention.qkv, attention.proj
        self.rel_pos_h, self.rel_pos_w = attention.rel_pos_h, attention.rel_pos_w

    def forward(self, x: Tensor) -> Tensor:
        batch, height, width = x.shape[:3]
        qkv = self.qkv(x).view(batch, height * width, 3, self.heads, -1)
        query, key, value = qkv.permute(2, 0, 3, 1, 4).flatten(1, 2).unbind(0)
        by_row = query.view(batch * self.heads, height, width, -1)
        # What a query adds to the logits of each row and of each column of keys.
        row_bias = get_rel_pos(height, height, self.rel_pos_h)
        column_bias = get_rel_pos(width, width, self.rel_pos_w)
        rows = torch.einsum("bhwc,hkc->bhwk", by_row, row_bias)
        columns = torch.einsum("bhwc,wkc->bhwk", by_row, column_bias)
        key = (key * self.scale).transpose(1, 2)

        step = max(_QUERIES // width, 1)
        parts = []
        for top in range(0, height, step):
            some = slice(top, min(top + step, height))
            logits = by_row[:, some].flatten(1, 2) @ key
            pairs = logits.view(len(logits), -1, width, height, width)
            pairs = pairs + rows[:, some, :, :, None] + columns[:, some, :, None, :]
            parts.append(pairs.view_as(logits).softmax(dim=-1) @ value)
        out = torch.cat(parts, dim=1).view(batch, self.heads, height, width, -1)
        joined: Tensor = self.proj(out.permute(0, 2, 3, 1, 4).reshape(x.shape))
        return joined
