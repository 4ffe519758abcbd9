"""Weights to begin with: of the parts that are not learned from segments, and of an adapter."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor

from masa_core.models.checkpoints import read
from masa_core.models.masa import Masa
from masa_core.models.weights import find_weights
from masa_core.runtime.protocol import ModelError

_GIVEN = ("backbone.", "detector.")  # what is not learned from segments alone
_COUNTER = re.compile(r".*\.num_batches_tracked")
_SAM = re.compile(r"^(image_encoder|prompt_encoder|mask_decoder)\.")

# The names that a tensor may have in a file: the published ones, SAM's own, a bare backbone's.
_NAMINGS: tuple[Callable[[str], str], ...] = (
    lambda key: key,
    lambda key: _SAM.sub(
        lambda m: "detector." + ("backbone." if m[1] == "image_encoder" else m[0]), key
    ),
    lambda key: f"backbone.{key}",
    lambda key: f"detector.backbone.{key}",
)


def start_from(model: Masa, path: Path, with_adapter: bool) -> str:
    """Give a model what a file has for it; a sentence on what that was.

    path: a checkpoint of the model, published or own; a file of its SAM, or of its backbone alone
    where it has no detector; for Grounding DINO also a folder in transformers' format.
    with_adapter: take the adapter and its heads, too. Raises ModelError where anything is missing.
    """
    own = model.state_dict()
    if path.is_dir():
        found = _from_transformers(model, path)
    else:
        given = read(path)
        found = max((_fitting(given, own, naming) for naming in _NAMINGS), key=len)
    wanted = [key for key in own if with_adapter or key.startswith(_GIVEN)]
    missing = [key for key in wanted if key not in found and not _COUNTER.fullmatch(key)]
    if missing:
        raise ModelError(
            f"{path} lacks {len(missing)} of {len(wanted)} tensors that {model.name} is to begin "
            f"with, among them {missing[0]}"
        )
    model.load_state_dict({k: found[k] if k in wanted and k in found else own[k] for k in own})
    return f"{path}, {'its adapter, too' if with_adapter else 'with a new adapter'}"


def published(name: str) -> Path:
    """The file that has what a model is not to learn. Raises ModelError on where to get it."""
    return find_weights(name.removeprefix("masa_") if name.startswith("masa_sam") else name)


def _fitting(
    given: Mapping[str, Tensor], own: Mapping[str, Tensor], naming: Callable[[str], str]
) -> dict[str, Tensor]:
    renamed = {naming(key): tensor for key, tensor in given.items()}
    return {k: v for k, v in renamed.items() if k in own and own[k].shape == v.shape}


def _from_transformers(model: Masa, folder: Path) -> dict[str, Tensor]:
    from masa_core.models.gdino.pretrained import load_transformers

    if model.name != "masa_gdino":
        raise ModelError(f"{folder} is a folder: {model.name} begins with a file of weights")
    return {f"detector.{k}": v for k, v in load_transformers(folder).state_dict().items()}
