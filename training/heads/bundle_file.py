"""The sections of bundle.yaml that name the graphs of the heads."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from masa_core.io.atomic import AtomicText
from masa_core.runtime.bundle import read_bundle, sha256

_GRAPHS = {"masks": "masks.onnx", "proposals": "proposals.onnx"}


def describe_heads(folder: Path) -> None:
    """Names masks.onnx and proposals.onnx, where they are, in bundle.yaml, with their SHA-256.

    The rest of the file stays as it is, comments too. Raises ModelError where the outcome is no
    bundle that can be read.
    """
    path = folder / "bundle.yaml"
    text = path.read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    for section, name in _GRAPHS.items():
        if not (folder / name).exists():
            continue
        digest = sha256(folder / name)
        if name in content["files"]:
            text = re.sub(rf"(?m)^(  {re.escape(name)}: ).*$", rf"\g<1>{digest}", text)
        else:
            text = re.sub(r"(?m)^files:\n", f"files:\n  {name}: {digest}\n", text)
        if section not in content:
            text = re.sub(r"(?m)^files:\n", f"{section}:\n  graph: {name}\nfiles:\n", text)
    file = AtomicText(path)
    file.write(text)
    file.commit()
    read_bundle(folder)
