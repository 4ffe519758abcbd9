"""Puts an embedding into a bundle: the graph, and what bundle.yaml says of it."""

from __future__ import annotations

from pathlib import Path

import onnx

from masa_core.io.atomic import whole_file
from masa_core.runtime.bundle import read_bundle, sha256
from training.bundle_file import sections, write_sections
from training.embedding.form import CROP

GRAPH = "instances.onnx"


def put_embedding(bundle: Path, graph: onnx.ModelProto, told: str) -> None:
    """Replaces a bundle's embedding. told: what its provenance says of it, one line.

    Raises ModelError where the bundle cannot be read, before or after.
    """
    read_bundle(bundle)
    with whole_file(bundle / GRAPH) as part:
        part.write_bytes(graph.SerializeToString())
    before = sections(bundle)
    write_sections(
        bundle,
        {
            "embedding": {"graph": GRAPH, "crop": list(CROP)},
            "files": before["files"] | {GRAPH: sha256(bundle / GRAPH)},
            "provenance": before["provenance"] | {"embedding": told},
        },
    )
