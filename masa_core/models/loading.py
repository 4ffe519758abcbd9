"""From a name to a model with its weights, on its device, ready to run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from masa_core.models.checkpoints import load_official, read
from masa_core.models.masa import Masa
from masa_core.models.precision import set_type
from masa_core.models.weights import find_weights
from masa_core.models.zoo import MASK_MODELS, MODELS, build, build_masks
from masa_core.runtime.protocol import ModelError
from masa_core.wording import nearest

if TYPE_CHECKING:
    from masa_core.models.sam_masks import SamMasks

_TYPES = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}


def load(
    name: str,
    device: str = "cpu",
    dtype: str = "float32",
    random_weights: bool = False,
    weights: str | Path | None = None,
) -> Masa | SamMasks:
    """A model that is ready to run. It satisfies `masa_core.runtime.protocol.Model`.

    name: as for `build`, or sam_vitb, sam_vith or mobile_sam, which give masks only. device: "cpu",
    "cuda", "cuda:1". dtype: "float32", "float16" or "bfloat16". weights: a file, or a folder to
    look in (see `find_weights`). random_weights: no file at all, the same random numbers every
    time, and a name that says so; what the model finds then means nothing.

    Raises ModelError when there are no weights, they do not fit, or the device is not there.
    """
    if dtype not in _TYPES:
        raise ModelError(f"{dtype!r} is not a type to run in{nearest(dtype, tuple(_TYPES))}")
    if name not in (*MODELS, *MASK_MODELS):
        raise ModelError(f"{name!r} is not a model{nearest(name, (*MODELS, *MASK_MODELS))}")
    target = _device(device)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = _build(name) if random_weights else _load(name, weights)
    if random_weights:
        model.name = f"{name} (random weights)"
    return set_type(model, _TYPES[dtype]).to(target)


def _build(name: str) -> Masa | SamMasks:
    return build_masks(name) if name in MASK_MODELS else build(name)


def _load(name: str, weights: str | Path | None) -> Masa | SamMasks:
    if name in MASK_MODELS:
        path = _sam_weights(name, weights)
        masks = build_masks(name)
        masks.load(read(path))
        return masks
    path = find_weights(name, weights)
    model = build(name)
    load_official(model, path)
    return model


def _sam_weights(name: str, weights: str | Path | None) -> Path:
    """Segment Anything's own file, or else that of the MASA model with the same SAM in it."""
    try:
        return find_weights(name, weights)
    except ModelError:
        try:
            return find_weights(f"masa_{name}", weights)
        except (ModelError, KeyError):  # of MobileSAM there is no MASA model
            pass
        raise


def _device(device: str) -> torch.device:
    try:
        target = torch.device(device)
        torch.empty(0, device=target)
    except (RuntimeError, AssertionError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(
            f"device {device!r} cannot be used ({reason}); 'cpu' is always there"
        ) from error
    return target
