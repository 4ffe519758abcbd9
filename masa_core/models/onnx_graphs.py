"""The two graphs of a bundle, written from a torch model."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch
from onnx_ir.passes.common import NameFixPass
from torch import Tensor, nn

from masa_core.models import onnx_ops
from masa_core.models.boxes import decode_deltas
from masa_core.models.deform_conv import DeformConv
from masa_core.models.masa import Masa
from masa_core.models.roi_head import MIN_SCORE, NMS_IOU, STDS
from masa_core.models.rpn import NMS_IOU as RPN_NMS_IOU
from masa_core.models.rpn import STDS as RPN_STDS
from masa_core.models.rpn import anchors

OPSET = 20  # DeformConv is in ONNX from 19 on
_PER_LEVEL, _PROPOSALS = 1000, 1000
LARGE = 1_500_000_000  # bytes of weights; a single ONNX file holds 2 GB at most


class ImageGraph(nn.Module):
    """forward: image (1, 3, H, W), size (2,) height and width of the frame within it ->
    levels that the heads read, boxes (K, 4) and scores (K,) of the distilled detection head."""

    def __init__(self, model: Masa) -> None:
        super().__init__()
        self.model = model

    def forward(self, image: Tensor, size: Tensor) -> tuple[Tensor, ...]:
        model = self.model
        backbone = model.backbone if model.detector is None else model.detector.backbone
        pyramid = model.masa_adapter(backbone(image))
        return *pyramid[: len(model.roi_head.strides)], *self.detect(pyramid, size)

    def detect(self, pyramid: list[Tensor], size: Tensor) -> tuple[Tensor, Tensor]:
        """Boxes (K, 4) and scores (K,) of the distilled detection head."""
        model, heads = self.model, self.model.roi_head
        levels = pyramid[: len(heads.strides)]
        found = self._proposals(pyramid, size)
        logits, deltas = heads.bbox_head(onnx_ops.pool(levels, found, heads.strides))
        real = (found[:, 2] > found[:, 0]).float()  # the rest only fills up
        boxes = _decode(found, deltas, STDS, size)
        return onnx_ops.objects(
            boxes, logits.softmax(1)[:, 0] * real, MIN_SCORE, NMS_IOU, model.max_detections
        )

    def _proposals(self, pyramid: list[Tensor], size: Tensor) -> Tensor:
        boxes, scores, levels = [], [], []
        logits, deltas = self.model.rpn_head(pyramid)
        for i, stride in enumerate(self.model.strides):
            score = logits[i][0].sigmoid().permute(1, 2, 0).flatten()
            best, order = score.topk(min(_PER_LEVEL, score.shape[0]))
            height, width = logits[i].shape[-2:]
            cells = anchors(height, width, stride, score.device)[order]
            chosen = deltas[i][0].permute(1, 2, 0).reshape(-1, 4)[order]
            boxes.append(_decode(cells, chosen, RPN_STDS, size))
            scores.append(best)
            levels.append(torch.full_like(best, i))
        return onnx_ops.proposals(
            torch.cat(boxes), torch.cat(scores), torch.cat(levels), RPN_NMS_IOU, _PROPOSALS
        )


class InstancesGraph(nn.Module):
    """forward: boxes (N, 4) in pixels of the input, levels -> embeddings (N, D)."""

    def __init__(self, model: Masa) -> None:
        super().__init__()
        self.track_head = model.track_head

    def forward(self, boxes: Tensor, *levels: Tensor) -> Tensor:
        head = self.track_head
        embeddings: Tensor = head.embed_head(onnx_ops.pool(levels, boxes, head.strides))
        return embeddings


def _decode(boxes: Tensor, deltas: Tensor, stds: tuple[float, ...], size: Tensor) -> Tensor:
    """`decode_deltas`, clipped to a size that the graph is told."""
    far = decode_deltas(boxes, deltas, stds, (1 << 20, 1 << 20))
    return torch.minimum(far, size.flip(0).repeat(2))


def write_graphs(model: Masa, height: int, width: int, folder: Path) -> list[str]:
    """image.onnx and instances.onnx for an input of (height, width); the names of all files.

    The model must be on the CPU, in float32.
    """
    image, size = torch.zeros(1, 3, height, width), torch.tensor([height, width]).float()
    sides = [(-(-height // stride), -(-width // stride)) for stride in model.strides]
    levels = [f"level{i}" for i in range(len(model.roi_head.strides))]
    channels = model.rpn_head.rpn_conv.in_channels
    maps = [torch.zeros(1, channels, *side) for side in sides[: len(levels)]]
    files = export_graph(
        ImageGraph(model),
        (image, size),
        folder / "image.onnx",
        ["image", "size"],
        [*levels, "boxes", "scores"],
    )
    rows = torch.export.Dim("n", min=2)
    return files + export_graph(
        InstancesGraph(model),
        (torch.tensor([[0.0, 0.0, 60.0, 60.0]]).repeat(3, 1), *maps),
        folder / "instances.onnx",
        ["boxes", *levels],
        ["embeddings"],
        ({0: rows}, tuple({} for _ in maps)),
    )


def export_graph(
    module: nn.Module,
    inputs: tuple[Tensor, ...],
    path: Path,
    input_names: list[str],
    output_names: list[str],
    dynamic_shapes: Any = None,
) -> list[str]:
    """Write a module's graph to a file; the names of that and of what lies beside it."""
    operator = DeformConv.operator
    DeformConv.operator = staticmethod(onnx_ops.deform_conv)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the exporter's own, about its own
            program = torch.onnx.export(
                module.eval(),
                inputs,
                dynamo=True,
                verbose=False,
                opset_version=OPSET,
                custom_translation_table=onnx_ops.graphs(),
                dynamic_shapes=dynamic_shapes,
                input_names=input_names,
                output_names=output_names,
            )
    finally:
        DeformConv.operator = staticmethod(operator)
    assert program is not None
    # A tensor within may have the name that an input was given, which makes an invalid file.
    NameFixPass()(program.model)
    size = sum(tensor.nbytes for tensor in module.state_dict().values())
    program.save(str(path), external_data=size > LARGE)
    return sorted(file.name for file in path.parent.glob(f"{path.name}*"))
