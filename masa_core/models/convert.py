"""Published checkpoints to files of ours: safetensors, with a YAML that says where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
import yaml
from torch import Tensor

from masa_core.io.atomic import write_text
from masa_core.models.checkpoints import check_fit, read, write
from masa_core.models.weights import PUBLISHED
from masa_core.models.zoo import MODELS, build
from masa_core.runtime.bundle import sha256
from masa_core.runtime.protocol import ModelError


def convert(source: Path, folder: Path, name: str | None = None) -> Path:
    """Write NAME.safetensors and NAME.yaml for a published checkpoint; the former's path.

    name: of the model; by default the one whose weights these are. The keys stay the published
    ones. What the model does not need (optimiser, logs) is left out. Raises ModelError as
    `load_official` does, and when the weights are those of no known model.
    """
    state = read(source)
    name = name or recognise(state, source)
    with torch.device("meta"):
        module = build(name)
    report = check_fit(module, state, str(source))
    kept = {key: tensor for key, tensor in state.items() if key not in report.ignored}
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{name}.safetensors"
    write(kept, target)
    card = _card(name, source, target, kept)
    write_text(target.with_suffix(".yaml"), yaml.safe_dump(card, sort_keys=False))
    return target


def recognise(state: Mapping[str, Tensor], source: Path) -> str:
    """The name of the model with these weights. Raises ModelError where there is none."""
    found = {(key, tuple(tensor.shape)) for key, tensor in state.items()}
    shares = {}
    for name in MODELS:
        with torch.device("meta"):
            wanted = build(name).state_dict()
        keys = {(key, tuple(tensor.shape)) for key, tensor in wanted.items()}
        shares[name] = len(found & keys) / len(found | keys)
    best = max(shares, key=lambda name: shares[name])
    if shares[best] < 0.5:
        raise ModelError(
            f"{source} holds the weights of none of {', '.join(MODELS)}; "
            "name the model to see what is missing"
        )
    return best


def _card(
    name: str, source: Path, target: Path, kept: Mapping[str, Tensor]
) -> dict[str, str | int]:
    return {
        "model": name,
        "file": target.name,
        "sha256": sha256(target),
        "tensors": len(kept),
        "values": sum(tensor.numel() for tensor in kept.values()),
        "origin_file": source.name,
        "origin_sha256": sha256(source),
        "origin_published_at": PUBLISHED[name].url,
    }
