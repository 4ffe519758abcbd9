"""The sections of bundle.yaml that name the graphs of the heads."""

from __future__ import annotations

from pathlib import Path

from masa_core.runtime.bundle import sha256
from training.bundle_file import sections, write_sections

_GRAPHS = {"masks": "masks.onnx", "proposals": "proposals.onnx"}


def describe_heads(folder: Path) -> None:
    """Names masks.onnx and proposals.onnx, where they are, in bundle.yaml, with their SHA-256.

    Raises ModelError where the outcome is no bundle that can be read.
    """
    there = {name: file for name, file in _GRAPHS.items() if (folder / file).exists()}
    digests = {file: sha256(folder / file) for file in there.values()}
    changed = {name: {"graph": file} for name, file in there.items()}
    write_sections(folder, {**changed, "files": sections(folder)["files"] | digests})
