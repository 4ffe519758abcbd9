"""SAM as a part of a MASA model: its encoder is the backbone, its decoder cuts out masks."""

from __future__ import annotations

import torch
from segment_anything.modeling import MaskDecoder, PromptEncoder, TwoWayTransformer
from torch import Tensor, nn

from masa_core.masks import encode_mask
from masa_core.models.backbones.sam_vit import PATCH, SamViT
from masa_core.models.backbones.tiny_vit import TinyViT
from masa_core.models.preprocess import Geometry
from masa_core.structures import Mask

_LOGIT_STRIDE = 4  # px of the network's input a low-resolution logit
_PROMPTS = 64  # decoded at a time: about 1 GB of float32 activations
_MARGIN = 0.1  # of the box's side: how far a mask may reach out of its box


class Sam(nn.Module):
    """Encoder, prompt encoder and mask decoder; parameter names as in Segment Anything's files.

    backbone: SAM's own encoder, or MobileSAM's, whose prompt encoder and decoder are the same.
    size: px a side of the input. embedding: channels of the image embedding.

    The prompt encoder stays in float32 whatever the type of the rest: it turns pixel positions
    into phases, which half precision would blur.
    """

    float32_parts = ("prompt_encoder",)

    def __init__(self, backbone: SamViT | TinyViT, size: int = 1024, embedding: int = 256) -> None:
        super().__init__()
        grid = size // PATCH
        self.size = size
        self.backbone = backbone
        self.prompt_encoder = PromptEncoder(
            embed_dim=embedding,
            image_embedding_size=(grid, grid),
            input_image_size=(size, size),
            mask_in_chans=16,
        )
        self.mask_decoder = MaskDecoder(
            num_multimask_outputs=3,
            transformer=TwoWayTransformer(
                depth=2, embedding_dim=embedding, mlp_dim=2048, num_heads=8
            ),
            transformer_dim=embedding,
        )

    def prepare(self, taps: list[Tensor]) -> Tensor:
        """What `masks` reads: SAM's image embedding."""
        return self.backbone.embed(taps[-1])

    def logits(self, embedding: Tensor, boxes: Tensor) -> Tensor:
        """(N, s / 4, s / 4) mask logits for (N, 4) boxes in pixels of the (s, s) input."""
        dense_positions = self.prompt_encoder.get_dense_pe().to(embedding)
        found = []
        for start in range(0, len(boxes), _PROMPTS):
            sparse, dense = self.prompt_encoder(
                points=None, boxes=boxes[start : start + _PROMPTS].float(), masks=None
            )
            low, _ = self.mask_decoder(
                image_embeddings=embedding,
                image_pe=dense_positions,
                sparse_prompt_embeddings=sparse.to(embedding),
                dense_prompt_embeddings=dense.to(embedding),
                multimask_output=False,
            )
            found.append(low[:, 0].float())
        return torch.cat(found)

    def masks(self, embedding: Tensor, boxes: Tensor, geometry: Geometry) -> list[Mask]:
        """One mask for each of (N, 4) boxes in pixels of the frame.

        A mask is what SAM's own two bilinear upsamplings give (logits to the input's size, its
        unpadded part to the frame's), but only within the box and a tenth of its side around it.
        Bilinear upsampling is separable, so the two become one product with a matrix for the rows
        and one for the columns, of which a box needs just a slice.
        """
        if len(boxes) == 0:
            return []
        logits = self.logits(embedding, geometry.to_resized(boxes.float()))
        rows = _upsampling(geometry.height, geometry.resized_height, logits.shape[1])
        columns = _upsampling(geometry.width, geometry.resized_width, logits.shape[2])
        rows, columns = rows.to(logits), columns.to(logits)
        found = []
        for low, box in zip(logits, boxes.tolist(), strict=True):
            y, height = _span(box[1], box[3], geometry.height)
            x, width = _span(box[0], box[2], geometry.width)
            crop = rows[y : y + height] @ low @ columns[x : x + width].T
            found.append(encode_mask((crop > 0).cpu().numpy(), x, y))
        return found


def _span(low: float, high: float, limit: int) -> tuple[int, int]:
    """First pixel and number of pixels of a side of a box with its margin, within the frame."""
    margin = _MARGIN * max(high - low, 0)
    first = min(max(int(low - margin), 0), limit)
    last = min(max(int(high + margin) + 1, first), limit)
    return first, last - first


def _upsampling(frame: int, resized: int, logits: int) -> Tensor:
    """(frame, logits) matrix: the two bilinear upsamplings of one axis, one after the other."""
    to_input = _bilinear(logits * _LOGIT_STRIDE, logits, 1 / _LOGIT_STRIDE)[:resized]
    return _bilinear(frame, resized, resized / frame) @ to_input


def _bilinear(out: int, size: int, step: float) -> Tensor:
    """(out, size) matrix that resamples one axis, half-pixel centres, edges repeated."""
    place = ((torch.arange(out, dtype=torch.float32) + 0.5) * step - 0.5).clamp(0, size - 1)
    distance = (place[:, None] - torch.arange(size, dtype=torch.float32)).abs()
    return (1 - distance).clamp(min=0)
