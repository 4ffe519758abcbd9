"""SHA-256 of what figures were made from, so that two runs can be told to be of the same."""

from __future__ import annotations

import hashlib
from pathlib import Path

from masa_core.assets import asset_path
from masa_core.io.source import BAG_SUFFIXES
from masa_core.runtime.bundle import sha256
from masa_core.runtime.load import TORCH_MODELS


def bag_hash(bag: Path) -> str:
    """Of what was recorded: of the storage file or, where it is split, of the files' hashes."""
    files = [bag]
    if bag.is_dir():
        files = sorted(file for file in bag.iterdir() if file.suffix in BAG_SUFFIXES)
    return _combined(files)


def truth_hash(source: str, bag: str) -> str:
    """Of the file or the folder of files; that of the bag where the truth is a topic."""
    path = Path(source)
    if path.is_dir():
        return _combined(sorted(file for file in path.rglob("*") if file.is_file()))
    return sha256(path) if path.is_file() else bag


def model_hash(name: str, weights: str | None = None) -> str | None:
    """Of a bundle's files together, or of a torch model's weights; None where they are not found.

    name, weights: as for `masa_core.load_model`.
    """
    if name in TORCH_MODELS:
        from masa_core.models.weights import find_weights

        return sha256(find_weights(name, weights))
    folder = Path(name).expanduser()
    try:
        folder = folder if folder.is_dir() else asset_path(name)
    except FileNotFoundError:
        return None
    return _combined(sorted(file for file in folder.iterdir() if file.is_file()))


def _combined(files: list[Path]) -> str:
    if len(files) == 1:
        return sha256(files[0])
    lines = [f"{sha256(file)}  {file.name}\n" for file in files]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
