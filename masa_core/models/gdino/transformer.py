"""Grounding DINO behind its backbone (Liu et al., arXiv 2303.05499), of transformers' layers.

The layers are transformers'; what runs them is here, so that the backbone's maps come from
outside, the text is encoded once a prompt, and boxes are refined as in the official model.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import BertConfig, BertModel, GroundingDinoConfig
from transformers.models.grounding_dino.modeling_grounding_dino import (
    GroundingDinoDecoder,
    GroundingDinoEncoder,
    GroundingDinoMLPPredictionHead,
    GroundingDinoSinePositionEmbedding,
)

from masa_core.models.gdino.caption import Caption
from masa_core.models.gdino.layout import Layout
from masa_core.models.preprocess import Geometry

_REFINE_EPS = 1e-3  # transformers has 1e-5 here, which moves boxes that touch the border
_HEAD_EPS = 1e-5


class GroundingTransformer(nn.Module):
    """Backbone maps and a caption to boxes, and how well each fits each token of the caption.

    Parameter names are those of transformers' GroundingDinoForObjectDetection without "model.";
    it runs in float32.
    """

    def __init__(self, config: GroundingDinoConfig, channels: Sequence[int]) -> None:
        super().__init__()
        self.width = width = config.d_model
        text_config = config.text_config
        assert isinstance(text_config, BertConfig)
        self.input_proj_vision = nn.ModuleList(_projection(c, width, 1) for c in channels)
        self.input_proj_vision.append(_projection(channels[-1], width, 3, stride=2))
        self.level_embed = nn.Parameter(torch.randn(len(channels) + 1, width))
        self.position = GroundingDinoSinePositionEmbedding(config)
        self.text_backbone = BertModel(text_config, add_pooling_layer=False)
        self.text_projection = nn.Linear(text_config.hidden_size, width)
        self.encoder = GroundingDinoEncoder(config)
        self.enc_output = nn.Linear(width, width)
        self.enc_output_norm = nn.LayerNorm(width, config.layer_norm_eps)
        self.encoder_output_bbox_embed = _box_head(width)
        self.query_position_embeddings = nn.Embedding(config.num_queries, width)
        self.decoder = GroundingDinoDecoder(config)
        self.bbox_embed = nn.ModuleList(_box_head(width) for _ in self.decoder.layers)

    def encode_text(self, caption: Caption) -> Tensor:
        """(1, L, width) text features: the same for every image."""
        ids = caption.token_ids[None]
        tokens = self.text_backbone(
            ids,
            attention_mask=caption.attention[None, None],
            token_type_ids=torch.zeros_like(ids),
            position_ids=caption.position_ids[None],
        ).last_hidden_state
        features: Tensor = self.text_projection(tokens)
        return features

    def forward(
        self, taps: Sequence[Tensor], text: Tensor, caption: Caption, geometry: Geometry
    ) -> tuple[Tensor, Tensor]:
        """Backbone maps (1, C, h, w), fine to coarse -> logits (Q, L), boxes (Q, 4).

        Boxes are cx, cy, w, h in units of the resized image without its padding. Q is 900, or the
        number of cells of all maps where the image has fewer.
        """
        sources = zip(self.input_proj_vision, [*taps, taps[-1]], strict=True)
        maps = [project(tap) for project, tap in sources]
        layout = Layout.of(maps, geometry)
        memory, text = self.encode(maps, text, caption, layout)
        references = self.propose(memory, text, layout)
        hidden, boxes = self.decode(references, memory, text, layout)
        return (hidden @ text.transpose(1, 2))[0], boxes[0]

    def encode(
        self, maps: Sequence[Tensor], text: Tensor, caption: Caption, layout: Layout
    ) -> tuple[Tensor, Tensor]:
        """Image (1, S, width) and text (1, L, width) tokens that have seen each other."""
        positions = [
            self.position(x, mask) + level[:, None, None]
            for x, mask, level in zip(maps, layout.valid, self.level_embed, strict=True)
        ]
        encoded = self.encoder(
            vision_features=_tokens(maps),
            vision_attention_mask=~layout.mask,
            vision_position_embedding=_tokens(positions),
            spatial_shapes=layout.shapes,
            spatial_shapes_list=layout.sizes,
            level_start_index=layout.starts,
            valid_ratios=layout.ratios,
            text_features=text,
            text_attention_mask=torch.zeros_like(caption.token_ids, dtype=torch.bool)[None],
            text_self_attention_masks=~caption.attention[None],
            text_position_ids=caption.position_ids[None],
            return_dict=True,
        )
        return encoded.last_hidden_state_vision, encoded.last_hidden_state_text

    def propose(self, memory: Tensor, text: Tensor, layout: Layout) -> Tensor:
        """The boxes (1, Q, 4) of the cells that fit the text best."""
        anchors, usable = layout.anchors()
        features = self.enc_output_norm(self.enc_output(memory * usable[..., None]))
        fit = (features @ text.transpose(1, 2)).amax(dim=-1)
        best = most_fitting(fit, self.query_position_embeddings.num_embeddings)[0]
        boxes: Tensor = self.encoder_output_bbox_embed(features[:, best]) + anchors[:, best]
        return boxes.sigmoid()

    def decode(
        self, references: Tensor, memory: Tensor, text: Tensor, layout: Layout
    ) -> tuple[Tensor, Tensor]:
        """Queries (1, Q, width) and boxes (1, Q, 4) after the last layer."""
        decoder = self.decoder
        hidden = self.query_position_embeddings.weight[None, : references.shape[1]]
        ratios = layout.ratios.repeat(1, 1, 2)[:, None]  # boxes relative to the padded maps
        last = len(decoder.layers) - 1
        for i, layer in enumerate(decoder.layers):
            boxes = references[:, :, None] * ratios
            hidden = layer(
                hidden_states=hidden,
                position_embeddings=decoder.reference_points_head(
                    box_embedding(boxes[:, :, 0], self.width // 2)
                ),
                reference_points=boxes,
                spatial_shapes=layout.shapes,
                spatial_shapes_list=layout.sizes,
                level_start_index=layout.starts,
                vision_encoder_hidden_states=memory,
                vision_encoder_attention_mask=layout.mask,
                text_encoder_hidden_states=text,
            )[0]
            if i < last:
                shift = self.bbox_embed[i](hidden)
                references = (shift + inverse_sigmoid(references, _REFINE_EPS)).sigmoid()
        hidden = decoder.layer_norm(hidden)
        shift = self.bbox_embed[last](hidden)
        return hidden, (shift + inverse_sigmoid(references, _HEAD_EPS)).sigmoid()


def most_fitting(fit: Tensor, count: int) -> Tensor:
    """(1, Q) indices of the largest of (1, S), best first."""
    return fit.topk(min(count, fit.shape[1])).indices


def inverse_sigmoid(x: Tensor, eps: float) -> Tensor:
    x = x.clamp(0, 1)
    return (x.clamp(min=eps) / (1 - x).clamp(min=eps)).log()


def box_embedding(boxes: Tensor, width: int) -> Tensor:
    """Sines and cosines of boxes cx, cy, w, h: (1, Q, 4) -> (1, Q, 4 * width), cy first."""
    steps = torch.arange(0, width, 2, device=boxes.device) / width
    phase = boxes[..., (1, 0, 2, 3), None] * (2 * math.pi / 10000**steps)
    return torch.stack((phase.sin(), phase.cos()), dim=-1).flatten(-3)


def _tokens(maps: Sequence[Tensor]) -> Tensor:
    return torch.cat([x.flatten(2).transpose(1, 2) for x in maps], dim=1)


def _projection(channels: int, width: int, kernel: int, stride: int = 1) -> nn.Sequential:
    conv = nn.Conv2d(channels, width, kernel, stride, padding=kernel // 2)
    return nn.Sequential(conv, nn.GroupNorm(32, width))


def _box_head(width: int) -> nn.Module:
    head: nn.Module = GroundingDinoMLPPredictionHead(width, width, 4, 3)
    return head
