"""Weights to begin with: the frozen parts must be there, the adapter may be."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import Tensor

from masa_core.models.checkpoints import read
from masa_core.models.masa import Masa
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


def start_from(model: Masa, path: Path) -> str:
    """Give a model what a file has for it; a sentence on what that was.

    path: a published or own checkpoint of the model, the file of its SAM, or of its backbone; for
    Grounding DINO also a folder in transformers' format. Raises ModelError where it lacks a part
    of the backbone or of the detector.
    """
    if path.is_dir():
        return _from_transformers(model, path)
    given = read(path)
    own = model.state_dict()
    found = max((_fitting(given, own, naming) for naming in _NAMINGS), key=len)
    missing = [
        key
        for key in own
        if key.startswith(_GIVEN) and key not in found and not _COUNTER.fullmatch(key)
    ]
    if missing:
        raise ModelError(
            f"{path} lacks {len(missing)} tensors of what {model.name} does not learn by itself, "
            f"among them {missing[0]}: name the weights of its backbone and detector"
        )
    model.load_state_dict({key: found.get(key, tensor) for key, tensor in own.items()})
    learned = [key for key in own if not key.startswith(_GIVEN)]
    known = sum(key in found for key in learned)
    return f"{path}: {len(found) - known} given tensors, {known} of {len(learned)} of the adapter"


def _fitting(
    given: Mapping[str, Tensor], own: Mapping[str, Tensor], naming: Callable[[str], str]
) -> dict[str, Tensor]:
    renamed = {naming(key): tensor for key, tensor in given.items()}
    return {k: v for k, v in renamed.items() if k in own and own[k].shape == v.shape}


def _from_transformers(model: Masa, folder: Path) -> str:
    from masa_core.models.gdino.pretrained import load_transformers

    if model.name != "masa_gdino":
        raise ModelError(f"{folder} is a folder: {model.name} begins with a file of weights")
    model.detector.load_state_dict(load_transformers(folder).state_dict())
    return f"{folder}: the whole detector, none of the adapter"
