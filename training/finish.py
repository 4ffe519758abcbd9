"""What a run leaves at its end: weights that masa_core loads, or a bundle that it runs."""

from __future__ import annotations

from pathlib import Path

import yaml

from masa_core.io.atomic import write_text
from masa_core.models.checkpoints import write
from masa_core.runtime.bundle import sha256
from training.onnx_export import export_bundle
from training.state import State


def finish(state: State) -> str:
    """Write the model with the weights to keep; a sentence on where it is and how to use it."""
    config = state.config
    with state.averaged():
        if config.onnx is not None:
            folder = config.folder / "bundle"
            facts = {"adapter": _settings(state)}
            learner = state.learner.cpu()  # where the exporter's examples are
            export_bundle(learner, Path(config.onnx.bundle), folder, config.name, facts)
            return f"made {folder}: masa track SOURCE --model {folder}"
        path = config.folder / f"{config.name}.safetensors"
        _save(state, path)
    name = state.learner.model.name
    return f"made {path}: masa track SOURCE --model {name} --weights {path}"


def _save(state: State, path: Path) -> None:
    """The published keys, and beside them a YAML that says what they are."""
    model = state.learner.model
    write(model.state_dict(), path)
    card = {
        "model": model.name,
        "file": path.name,
        "sha256": sha256(path),
        "made by": _settings(state),
    }
    write_text(path.with_suffix(".yaml"), yaml.safe_dump(card, sort_keys=False))


def _settings(state: State) -> str:
    config = state.config
    folders = ", ".join(config.data.folders)
    return (
        f"training.train, {state.step} steps of {config.data.pairs} pairs of {folders}, "
        f"seed {config.run.seed}"
    )
