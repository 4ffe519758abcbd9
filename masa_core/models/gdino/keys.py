"""Names of weights: official checkpoints of Grounding DINO against transformers' modules.

`GroundingDino` is made of transformers' modules, but answers to the official names. Both sides
leave out what stands before: "detector." of the official names, "model." of transformers'.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import count

import torch
from torch import Tensor


class Renames:
    """New names of weights by the module or parameter that they begin with.

    Pairs of an old and a new beginning, in which {} stands for a number; the first that fits
    counts. A name that none fits has no new one.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._rules = [(_pattern(old), _replacement(new)) for old, new in pairs]

    def __call__(self, key: str) -> str | None:
        for pattern, replacement in self._rules:
            if match := pattern.fullmatch(key):
                return match.expand(replacement)
        return None


def _pattern(old: str) -> re.Pattern[str]:
    numbers = count()
    body = re.sub(r"\\{\\}", lambda _: rf"(?P<n{next(numbers)}>\d+)", re.escape(old))
    return re.compile(body + r"(?P<rest>(\..*)?)")


def _replacement(new: str) -> str:
    numbers = count()
    return re.sub(r"\{\}", lambda _: rf"\g<n{next(numbers)}>", new) + r"\g<rest>"


# Official names, and those of transformers
_RENAMES = [
    ("neck.extra_convs.0.conv", "input_proj_vision.3.0"),
    ("neck.extra_convs.0.gn", "input_proj_vision.3.1"),
    ("neck.convs.{}.conv", "input_proj_vision.{}.0"),
    ("neck.convs.{}.gn", "input_proj_vision.{}.1"),
    ("level_embed", "level_embed"),
    ("query_embedding", "query_position_embeddings"),
    ("text_feat_map", "text_projection"),
    ("language_model.language_backbone.body.model", "text_backbone"),
    ("encoder.fusion_layers.{}.layer_norm_v", "encoder.layers.{}.fusion_layer.layer_norm_vision"),
    ("encoder.fusion_layers.{}.layer_norm_l", "encoder.layers.{}.fusion_layer.layer_norm_text"),
    ("encoder.fusion_layers.{}.gamma_v", "encoder.layers.{}.fusion_layer.vision_param"),
    ("encoder.fusion_layers.{}.gamma_l", "encoder.layers.{}.fusion_layer.text_param"),
    *(
        (f"encoder.fusion_layers.{{}}.attn.{a}", f"encoder.layers.{{}}.fusion_layer.attn.{b}")
        for a, b in (
            ("v_proj", "vision_proj"),
            ("l_proj", "text_proj"),
            ("values_v_proj", "values_vision_proj"),
            ("values_l_proj", "values_text_proj"),
            ("out_v_proj", "out_vision_proj"),
            ("out_l_proj", "out_text_proj"),
        )
    ),
    *(
        (f"encoder.text_layers.{{}}.{a}", f"encoder.layers.{{}}.text_enhancer_layer.{b}")
        for a, b in (
            ("self_attn.attn", "self_attn"),
            ("ffn.layers.0.0", "fc1"),
            ("ffn.layers.1", "fc2"),
            ("norms.0", "layer_norm_before"),
            ("norms.1", "layer_norm_after"),
        )
    ),
    *(
        (f"encoder.layers.{{}}.{a}", f"encoder.layers.{{}}.deformable_layer.{b}")
        for a, b in (
            ("self_attn", "self_attn"),
            ("ffn.layers.0.0", "fc1"),
            ("ffn.layers.1", "fc2"),
            ("norms.0", "self_attn_layer_norm"),
            ("norms.1", "final_layer_norm"),
        )
    ),
    *(
        (f"decoder.layers.{{}}.{a}", f"decoder.layers.{{}}.{b}")
        for a, b in (
            ("self_attn.attn", "self_attn"),
            ("cross_attn_text.attn", "encoder_attn_text"),
            ("cross_attn", "encoder_attn"),
            ("ffn.layers.0.0", "fc1"),
            ("ffn.layers.1", "fc2"),
            ("norms.0", "self_attn_layer_norm"),
            ("norms.1", "encoder_attn_text_layer_norm"),
            ("norms.2", "encoder_attn_layer_norm"),
            ("norms.3", "final_layer_norm"),
        )
    ),
    ("decoder.norm", "decoder.layer_norm"),
    ("decoder.ref_point_head", "decoder.reference_points_head"),
    ("memory_trans_fc", "enc_output"),
    ("memory_trans_norm", "enc_output_norm"),
    # Branch 6 is that of the proposals; the others are those of the decoder's layers
    *(
        (f"bbox_head.reg_branches.6.{2 * i}", f"encoder_output_bbox_embed.layers.{i}")
        for i in range(3)
    ),
    *((f"bbox_head.reg_branches.{{}}.{2 * i}", f"bbox_embed.{{}}.layers.{i}") for i in range(3)),
]
_QUERY_KEY_VALUE = ("query", "key", "value")


def from_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Official weights under transformers' names. Weights of unknown names are left out."""
    return {name: value for key, value in _split(state) if (name := _TO_OURS(key))}


def to_official(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights of transformers' modules under official names; the inverse of `from_official`."""
    renamed = {name: value for key, value in state.items() if (name := _TO_OFFICIAL(key))}
    return dict(_join(renamed))


def _split(state: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """One matrix for query, key and value of an attention -> three."""
    for key, value in state.items():
        if ".attn.in_proj_" in key:
            for part, rows in zip(_QUERY_KEY_VALUE, value.chunk(3), strict=True):
                yield key.replace("in_proj_", f"{part}."), rows
        else:
            yield key, value


def _join(state: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    for key, value in state.items():
        if ".attn.query." in key:
            parts = [state[key.replace(".query.", f".{part}.")] for part in _QUERY_KEY_VALUE]
            yield key.replace(".query.", ".in_proj_"), torch.cat(parts)
        elif not re.search(r"\.attn\.(key|value)\.", key):
            yield key, value


_TO_OURS = Renames(_RENAMES)
_TO_OFFICIAL = Renames([(ours, official) for official, ours in _RENAMES])
