"""Puts an embedding into a bundle: the graph, and what bundle.yaml says of it."""

from __future__ import annotations

import os
import re
from pathlib import Path

import onnx
import yaml

from masa_core.io.atomic import AtomicText, part_path
from masa_core.runtime.bundle import read_bundle, sha256
from training.embedding.form import CROP

GRAPH = "instances.onnx"


def put_embedding(bundle: Path, graph: onnx.ModelProto, told: str) -> None:
    """Replaces a bundle's embedding. told: what its provenance says of it, one line.

    The rest of bundle.yaml stays as it is written, comments too. Raises ModelError where the bundle
    cannot be read, before or after.
    """
    read_bundle(bundle)
    part = part_path(bundle / GRAPH)
    part.write_bytes(graph.SerializeToString())
    digest = sha256(part)
    path = bundle / "bundle.yaml"
    text = path.read_text(encoding="utf-8")
    text = _section(text, "embedding", f"  graph: {GRAPH}\n  crop: [{CROP[0]}, {CROP[1]}]\n")
    text = _line(text, "files", GRAPH, digest)
    text = _line(text, "provenance", "embedding", told)
    file = AtomicText(path)
    file.write(text)
    os.replace(part, bundle / GRAPH)
    file.commit()
    read_bundle(bundle)


def _section(text: str, key: str, lines: str) -> str:
    """The YAML text with what is below a key at the margin replaced."""
    return re.sub(rf"(?m)^{key}:\n(?:[ ]+.*\n)+", lambda _: f"{key}:\n{lines}", text)


def _line(text: str, section: str, key: str, value: str) -> str:
    """The YAML text with one value of a section replaced, or added at its end."""
    found = re.search(rf"(?m)^{section}:\n((?:[ ]+.*\n)+)", text)
    assert found, f"a bundle that can be read has {section}"
    content = yaml.safe_load(found[1]) | {key: value}
    lines = yaml.safe_dump(content, sort_keys=False, width=90)
    return _section(text, section, re.sub(r"(?m)^", "  ", lines.rstrip()) + "\n")
