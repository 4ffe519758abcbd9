"""A trained adapter as a bundle: the detector's own graph, its weights untouched, and graphs that
read its taps."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import Tensor, nn

from masa_core.models import onnx_ops
from masa_core.models.onnx_graphs import ImageGraph, export_graph
from masa_core.runtime.bundle import FORMAT, sha256
from masa_core.runtime.protocol import ModelError
from training.mask_head import ROI, RoiMaskHead
from training.model import Learner
from training.onnx_backbone import OnnxBackbone

# Each graph makes the pyramid anew: it is small, and the detector's graph stays as it is given.


class EmbeddingGraph(nn.Module):
    """forward: boxes (N, 4) px of the network's input, taps -> embeddings (N, D)."""

    def __init__(self, learner: Learner) -> None:
        super().__init__()
        self.adapter, self.head = learner.model.masa_adapter, learner.model.track_head

    def forward(self, boxes: Tensor, *taps: Tensor) -> Tensor:
        levels = self.adapter(list(taps))[: len(self.head.strides)]
        embeddings: Tensor = self.head.embed_head(onnx_ops.pool(levels, boxes, self.head.strides))
        return embeddings


class MasksGraph(nn.Module):
    """forward: boxes (N, 4) px of the network's input, taps -> probabilities (N, 28, 28)."""

    def __init__(self, learner: Learner, head: RoiMaskHead) -> None:
        super().__init__()
        self.adapter, self.head = learner.model.masa_adapter, head

    def forward(self, boxes: Tensor, *taps: Tensor) -> Tensor:
        levels = self.adapter(list(taps))[: len(self.head.strides)]
        pooled = onnx_ops.pool(levels, boxes, self.head.strides, ROI)
        return self.head.of_pooled(pooled).sigmoid()


class ProposalsGraph(ImageGraph):
    """forward: size (2,) of the frame in the input, taps -> boxes (K, 4), scores (K,)."""

    def forward(self, size: Tensor, *taps: Tensor) -> tuple[Tensor, ...]:
        return self.detect(self.model.masa_adapter(list(taps)), size)


def export_bundle(
    learner: Learner, source: Path, folder: Path, name: str, provenance: Mapping[str, str]
) -> None:
    """Write the bundle of an adapter on the detector of ``source``, in place of what ``folder``
    held. The learner must be on the CPU, in eval mode.

    Raises ModelError where the folder holds something that is no bundle.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / "bundle.yaml").exists():
        raise ModelError(f"{folder} holds something that is no bundle: name another folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        backbone = learner.model.backbone
        assert isinstance(backbone, OnnxBackbone)
        content = _described(source, name, provenance)
        (part / backbone.spec.graph).write_bytes(backbone.graph)
        content |= _write_heads(learner, backbone, part)
        for file in source.glob("NOTICE*"):  # what the detector's licence wants to be kept
            shutil.copy(file, part)
        content["files"] = {path.name: sha256(path) for path in sorted(part.glob("*.onnx*"))}
        text = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=90)
        (part / "bundle.yaml").write_text(text, encoding="utf-8")
        part.chmod(0o755)  # a temporary folder is its maker's alone
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _described(source: Path, name: str, provenance: Mapping[str, str]) -> dict[str, Any]:
    """What bundle.yaml says of the detector, which stays true."""
    content = yaml.safe_load((source / "bundle.yaml").read_text(encoding="utf-8"))
    kept = {key: content[key] for key in ("image", "detector") if key in content}
    facts = {**content.get("provenance", {}), **provenance}
    facts.pop("embedding", None)
    return {"format": FORMAT, "name": name, **kept, "provenance": facts}


def _write_heads(learner: Learner, backbone: OnnxBackbone, folder: Path) -> dict[str, Any]:
    """The graphs of the heads that were trained; their sections of bundle.yaml."""
    model, names = learner.model, list(backbone.taps)
    strides = model.strides[: len(names)]
    # Any size will do to trace with, if no side of a map is alike: such would be taken for one.
    sides = [(13 * strides[-1] // stride, 11 * strides[-1] // stride) for stride in strides]
    if backbone.spec.size:
        height, width = backbone.spec.size
        sides = [(-(-height // stride), -(-width // stride)) for stride in strides]
    taps = [
        torch.zeros(1, channels, *side)
        for channels, side in zip(backbone.channels, sides, strict=True)
    ]
    boxes = torch.tensor([[0.0, 0.0, 60.0, 60.0]]).repeat(3, 1)
    shapes = tuple(_free_sides(backbone, i) for i in range(len(names)))
    by_box = ({0: torch.export.Dim("n", min=2)}, shapes)
    sections: dict[str, Any] = {"embedding": {"graph": "instances.onnx"}}
    export_graph(
        EmbeddingGraph(learner),
        (boxes, *taps),
        folder / "instances.onnx",
        ["boxes", *names],
        ["embeddings"],
        by_box,
    )
    if learner.mask_head is not None:
        sections["masks"] = {"graph": "masks.onnx"}
        graph = MasksGraph(learner, learner.mask_head)
        export_graph(
            graph, (boxes, *taps), folder / "masks.onnx", ["boxes", *names], ["masks"], by_box
        )
    if learner.detection:
        sections["proposals"] = {"graph": "proposals.onnx"}
        export_graph(
            ProposalsGraph(model),
            (torch.tensor([64.0, 64.0]), *taps),
            folder / "proposals.onnx",
            ["size", *names],
            ["boxes", "scores"],
            (None, shapes),
        )
    return sections


def _free_sides(backbone: OnnxBackbone, number: int) -> dict[int, Any]:
    """Which sides of a tap vary: none where the input has one size, else both."""
    if backbone.spec.size:
        return {}
    return {2: torch.export.Dim.AUTO, 3: torch.export.Dim.AUTO}
