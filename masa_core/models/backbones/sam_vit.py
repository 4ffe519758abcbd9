"""SAM's image encoder with its taps (Kirillov et al., arXiv 2304.02643)."""

from __future__ import annotations

from functools import partial

from segment_anything.modeling import ImageEncoderViT
from torch import Tensor, nn

from masa_core.models.backbones.lean_attention import LeanAttention

PATCH = 16  # px a token
_WINDOW = 14  # tokens a side of a windowed block's attention


class SamViT(nn.Module):
    """The encoder of the segment-anything package, opened up so that one pass serves two.

    Its attention takes less memory here (see `LeanAttention`), and gives the same.

    forward: (B, 3, size, size) -> four taps (B, channels, size / 16, size / 16), the raw outputs
    of the blocks with global attention. `embed` makes SAM's image embedding of the last one.
    """

    def __init__(
        self,
        channels: int,
        depth: int,
        heads: int,
        global_blocks: tuple[int, ...],
        size: int = 1024,
        embedding: int = 256,
    ) -> None:
        super().__init__()
        encoder = ImageEncoderViT(
            img_size=size,
            patch_size=PATCH,
            embed_dim=channels,
            depth=depth,
            num_heads=heads,
            out_chans=embedding,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=_WINDOW,
            global_attn_indexes=global_blocks,
        )
        self.patch_embed, self.pos_embed = encoder.patch_embed, encoder.pos_embed
        self.blocks, self.neck = encoder.blocks, encoder.neck
        for block in self.blocks:
            block.attn = LeanAttention(block.attn)
        self.taps = global_blocks

    def forward(self, images: Tensor) -> list[Tensor]:
        x = self.patch_embed(images) + self.pos_embed
        taps = []
        for i, block in enumerate(self.blocks):
            x = block(x)
            if i in self.taps:
                taps.append(x.permute(0, 3, 1, 2))
        return taps

    def embed(self, last_tap: Tensor) -> Tensor:
        """(B, embedding, h, w): SAM's image embedding. No further pass of the blocks."""
        embedding: Tensor = self.neck(last_tap)
        return embedding
