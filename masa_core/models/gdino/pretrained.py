"""Grounding DINO from weights in transformers' format: IDEA-Research/grounding-dino-base."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from torch import Tensor
from transformers import GroundingDinoConfig, SwinConfig
from transformers.utils.hub import cached_file

from masa_core.models.backbones.swin import Swin, relative_position_index
from masa_core.models.gdino.detector import GroundingDino
from masa_core.models.gdino.keys import Renames, to_official
from masa_core.runtime.protocol import ModelError

_SWIN = "backbone.conv_encoder.model."
_TABLE = "attn.w_msa.relative_position_bias_table"
_BLOCK = "encoder.layers.{}.blocks.{}"
_SWIN_RENAMES = Renames(
    [
        ("embeddings.patch_embeddings.projection", "patch_embed.projection"),
        ("embeddings.norm", "patch_embed.norm"),
        *((f"hidden_states_norms.stage{i + 1}", f"norm{i}") for i in range(4)),
        ("encoder.layers.{}.downsample", "stages.{}.downsample"),
        *(
            (f"{_BLOCK}.{theirs}", f"stages.{{}}.blocks.{{}}.{ours}")
            for theirs, ours in (
                ("layernorm_before", "norm1"),
                ("layernorm_after", "norm2"),
                ("attention.self.query", "attn.w_msa.query"),
                ("attention.self.key", "attn.w_msa.key"),
                ("attention.self.value", "attn.w_msa.value"),
                ("attention.self.relative_position_bias_table", _TABLE),
                ("attention.output.dense", "attn.w_msa.proj"),
                ("intermediate.dense", "ffn.layers.0.0"),
                ("output.dense", "ffn.layers.1"),
            )
        ),
    ]
)


def load_transformers(source: str | Path) -> GroundingDino:
    """The detector of a folder with config.json and model.safetensors, in eval mode.

    source: the folder, or the name of a model that the machine's Hugging Face cache already
    holds; nothing is downloaded. The backbone may be any Swin. Raises ModelError when the files
    are not there or are not those of Grounding DINO.
    """
    from safetensors.torch import load_file

    try:
        file = str(cached_file(source, "model.safetensors", local_files_only=True))
        config = GroundingDinoConfig.from_pretrained(source, local_files_only=True)
    except OSError as error:
        raise ModelError(
            f"{source} is neither a folder with config.json and model.safetensors nor in the "
            f"Hugging Face cache of this machine; `hf download {source}` fetches it"
        ) from error
    swin = config.backbone_config
    if not isinstance(swin, SwinConfig):
        raise ModelError(
            f"{source} has a {type(swin).__name__} for backbone, supported: SwinConfig"
        )
    backbone = Swin(swin.window_size, swin.embed_dim, swin.depths, swin.num_heads)
    detector = GroundingDino(config, backbone)
    try:
        detector.load_state_dict(official_names(load_file(file), config.decoder_layers))
    except RuntimeError as error:
        raise ModelError(f"{file} does not hold a Grounding DINO: {error}") from error
    return detector.eval()


def official_names(state: Mapping[str, Tensor], decoder_layers: int) -> dict[str, Tensor]:
    """Weights as they are named in transformers' files -> as in the official checkpoints."""
    state = {key.removeprefix("model."): value for key, value in state.items()}
    for key, value in list(state.items()):
        if key.startswith("bbox_embed.0."):  # files of models whose layers share it have one only
            for i in range(1, decoder_layers):
                state.setdefault(key.replace(".0.", f".{i}.", 1), value)
    swin = {key[len(_SWIN) :]: state.pop(key) for key in list(state) if key.startswith(_SWIN)}
    official = {f"backbone.{key}": value for key, value in _swin_names(swin)}
    return {**official, **to_official(state)}


def _swin_names(state: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    renamed = {name: value for key, value in state.items() if (name := _SWIN_RENAMES(key))}
    for key, value in renamed.items():
        if ".downsample." in key:
            yield key, _reorder_patch(value)
        elif ".w_msa.query." in key:
            parts = [renamed[key.replace(".query.", f".{x}.")] for x in ("query", "key", "value")]
            yield key.replace(".query.", ".qkv."), torch.cat(parts)
        elif ".w_msa.key." not in key and ".w_msa.value." not in key:
            yield key, value
        if key.endswith(_TABLE):
            window = (round(len(value) ** 0.5) + 1) // 2
            yield key.replace("bias_table", "index"), relative_position_index(window)


def _reorder_patch(weight: Tensor) -> Tensor:
    """The last axis from (column, row, channel) of the 2 x 2 patch to (channel, row, column)."""
    channels = weight.shape[-1] // 4
    patch = weight.unflatten(-1, (2, 2, channels))
    return patch.movedim(-1, -3).transpose(-1, -2).flatten(-3)
