"""The trained heads as graphs of a bundle, with weights kept in fp16."""

from __future__ import annotations

import math
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import Tensor, nn

from masa_core.io.atomic import whole_file
from training.heads.mask_head import CUT, MaskHead
from training.heads.pool import TAPS
from training.heads.proposal_head import LEVELS, ProposalHead, boxes_of, cells, select

OPSET = 18  # the first that the exporter knows
_MIN_HALVED = 64  # weights of a tensor; fewer are not worth a node
_ROWS, _COLUMNS = 12, 16  # of the coarsest map that is traced with; any others may come


class MasksGraph(nn.Module):
    """forward: boxes (N, 4) px of the input, maps -> (N, SIZE, SIZE), 0.5 where the
    probability is CUT."""

    def __init__(self, head: MaskHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, boxes: Tensor, *maps: Tensor) -> Tensor:
        named = dict(zip(TAPS, maps, strict=True))
        logits: Tensor = self.head(boxes, torch.zeros_like(boxes[:, 0]), named)
        return (logits - math.log(CUT / (1 - CUT))).sigmoid()  # whoever reads it cuts at 0.5


class ProposalsGraph(nn.Module):
    """forward: size (2,) of the frame in the input, px, maps -> boxes (M, 4), scores (M,)."""

    def __init__(self, head: ProposalHead) -> None:
        super().__init__()
        self.head = head

    def forward(self, size: Tensor, *maps: Tensor) -> tuple[Tensor, Tensor]:
        logits, distances = self.head(dict(zip(LEVELS, maps, strict=True)))
        middles, _ = cells(*maps[0].shape[2:])
        return select(logits[0], boxes_of(middles, distances[0]), size)


def export_masks(head: MaskHead, path: Path) -> None:
    boxes = torch.tensor([[0.0, 0.0, 60.0, 60.0]]).repeat(3, 1)
    rows = {0: torch.export.Dim("n", min=2)}
    _export(MasksGraph(head), ("boxes", boxes, rows), tuple(TAPS), ["masks"], path)


def export_proposals(head: ProposalHead, path: Path) -> None:
    size = ("size", torch.tensor([320.0, 320.0]), {})
    _export(ProposalsGraph(head), size, LEVELS, ["boxes", "scores"], path)


def _export(
    module: nn.Module,
    first: tuple[str, Tensor, dict[int, Any]],
    taps: Sequence[str],
    outputs: Sequence[str],
    path: Path,
) -> None:
    height, width = (torch.export.Dim(name, min=2, max=1024) for name in ("rows", "columns"))
    maps, sides = [], []
    for name in taps:
        channels, stride = TAPS[name]
        times = 32 // stride  # the maps fit each other
        maps.append(torch.zeros(1, channels, times * _ROWS, times * _COLUMNS))
        sides.append({2: times * height, 3: times * width} if times > 1 else {2: height, 3: width})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, about its own
        program = torch.onnx.export(
            module.cpu().eval(),
            (first[1], *maps),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            dynamic_shapes=(first[2], tuple(sides)),
            input_names=[first[0], *taps],
            output_names=list(outputs),
        )
    assert program is not None
    model = halved(program.model_proto)
    onnx.checker.check_model(model, full_check=True)
    with whole_file(path) as part:
        part.write_bytes(model.SerializeToString())


def halved(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same graph with its weights stored in fp16; it computes in fp32 as before."""
    casts = []
    for tensor in model.graph.initializer:
        values = numpy_helper.to_array(tensor)
        if values.dtype != np.float32 or values.size < _MIN_HALVED:
            continue
        name = tensor.name
        tensor.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}_fp16"))
        casts.append(helper.make_node("Cast", [f"{name}_fp16"], [name], to=TensorProto.FLOAT))
    nodes = [*casts, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    del model.graph.value_info[:]  # inferred anew by whoever reads the graph
    del model.metadata_props[:]
    for node in model.graph.node:  # the exporter's notes name files of the machine
        del node.metadata_props[:]
        node.doc_string = ""
    return model
