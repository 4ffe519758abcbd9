"""What torch's exporter cannot put into an ONNX graph by itself: ops, and their graphs.

Each is a torch op whose ``fake`` tells the exporter the shapes, and a function that writes it in
ONNX's operators. In torch they only stand for the shapes: the graphs are what runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from onnxscript import opset20
from torch import Tensor

from masa_core.models.deform_conv import TAPS, flat_read

_ROI = 7  # bins a side
op: Any = opset20  # whose types know nothing of numbers given as constants


@torch.library.custom_op("masa::deform_conv", mutates_args=())
def _deform_conv(x: Tensor, weight: Tensor, offset: Tensor, mask: Tensor, stride: int) -> Tensor:
    raise NotImplementedError


@_deform_conv.register_fake
def _(x: Tensor, weight: Tensor, offset: Tensor, mask: Tensor, stride: int) -> Tensor:
    return x.new_empty((x.shape[0], weight.shape[0], *offset.shape[2:]))


def deform_conv(x: Tensor, offset: Tensor, mask: Tensor, weight: Tensor, stride: int) -> Tensor:
    """As `masa_core.models.deform_conv.deform_conv`; becomes one DeformConv of ONNX."""
    size = [-(-side // stride) for side in x.shape[2:]]
    offset = flat_read(offset, 2 * TAPS, size[0], size[1])
    mask = flat_read(mask, TAPS, size[0], size[1])
    out: Tensor = torch.ops.masa.deform_conv(x, weight, offset, mask, stride)
    return out


def _deform_conv_graph(x: Any, weight: Any, offset: Any, mask: Any, stride: int) -> Any:
    return op.DeformConv(
        x,
        weight,
        offset,
        None,
        mask,
        kernel_shape=[3, 3],
        pads=[1, 1, 1, 1],
        strides=[stride, stride],
    )


@torch.library.custom_op("masa::pool", mutates_args=())
def pool(
    levels: Sequence[Tensor], boxes: Tensor, strides: Sequence[int], size: int = _ROI
) -> Tensor:
    """As `masa_core.models.roi_align.pool`, for (N, 4) boxes in image 0."""
    raise NotImplementedError


@pool.register_fake
def _(levels: Sequence[Tensor], boxes: Tensor, strides: Sequence[int], size: int = _ROI) -> Tensor:
    return boxes.new_empty((boxes.shape[0], levels[0].shape[1], size, size))


def _pool_graph(levels: Sequence[Any], boxes: Any, strides: Sequence[int], size: int = _ROI) -> Any:
    sides = op.Max(op.Sub(_columns(boxes, 2, 4), _columns(boxes, 0, 2)), _float(0.0))
    area = op.ReduceProd(sides, _ints([1]), keepdims=0)
    doublings = op.Div(
        op.Log(op.Add(op.Div(op.Sqrt(area), _float(56.0)), _float(1e-6))), _float(math.log(2))
    )
    level = op.Clip(op.Floor(doublings), _float(0.0), _float(len(strides) - 1.0))
    parts, rows = [], []
    for i, stride in enumerate(strides):
        chosen = op.NonZero(op.Equal(level, _float(float(i))))
        row = op.Squeeze(chosen, _ints([0]))
        rows.append(op.Transpose(chosen, perm=[1, 0]))
        parts.append(
            op.RoiAlign(
                levels[i],
                op.Gather(boxes, row, axis=0),
                op.Sub(row, row),  # all in image 0
                output_height=size,
                output_width=size,
                sampling_ratio=0,
                spatial_scale=1.0 / stride,
                coordinate_transformation_mode="half_pixel",
            )
        )
    pooled = op.Concat(*parts, axis=0)
    empty = op.Expand(_float(0.0), op.Shape(pooled))
    return op.ScatterND(empty, op.Concat(*rows, axis=0), pooled)


@torch.library.custom_op("masa::proposals", mutates_args=())
def proposals(boxes: Tensor, scores: Tensor, levels: Tensor, iou: float, keep: int) -> Tensor:
    """(keep, 4) boxes after the NMS of each level, best first, filled up with boxes of no size.

    boxes: (M, 4); scores, levels: (M,). Boxes without area do not take part.
    """
    raise NotImplementedError


@proposals.register_fake
def _(boxes: Tensor, scores: Tensor, levels: Tensor, iou: float, keep: int) -> Tensor:
    return boxes.new_empty((keep, 4))


def _proposals_graph(boxes: Any, scores: Any, levels: Any, iou: float, keep: int) -> Any:
    sides = op.Sub(_columns(boxes, 2, 4), _columns(boxes, 0, 2))
    real = op.Greater(op.ReduceMin(sides, _ints([1]), keepdims=0), _float(0.0))
    # NonMaxSuppression works class by class: here a class is a level.
    numbers = op.Constant(value_floats=[float(i) for i in range(5)])
    own = op.And(
        op.Equal(op.Unsqueeze(numbers, _ints([1])), op.Unsqueeze(levels, _ints([0]))),
        op.Unsqueeze(real, _ints([0])),
    )
    by_level = op.Where(own, op.Unsqueeze(scores, _ints([0])), _float(0.0))
    picked = _suppress(boxes, by_level, keep, iou, 0.0)
    kept = op.Gather(scores, picked, axis=0)
    count = op.Min(op.Shape(kept), _ints([keep]))
    _, order = op.TopK(kept, count, axis=0)
    best = op.Gather(boxes, op.Gather(picked, order, axis=0), axis=0)
    filler = op.Expand(_float(0.0), op.Concat(op.Sub(_ints([keep]), count), _ints([4]), axis=0))
    return op.Concat(best, filler, axis=0)


@torch.library.custom_op("masa::objects", mutates_args=())
def objects(
    boxes: Tensor, scores: Tensor, score: float, iou: float, keep: int
) -> tuple[Tensor, Tensor]:
    """(K, 4) boxes and (K,) scores above ``score`` after NMS, best first, ``keep`` at most."""
    raise NotImplementedError


@objects.register_fake
def _(boxes: Tensor, scores: Tensor, score: float, iou: float, keep: int) -> tuple[Tensor, Tensor]:
    count = torch.library.get_ctx().new_dynamic_size()
    return boxes.new_empty((count, 4)), boxes.new_empty((count,))


def _objects_graph(boxes: Any, scores: Any, score: float, iou: float, keep: int) -> Any:
    picked = _suppress(boxes, op.Unsqueeze(scores, _ints([0])), keep, iou, score)
    return op.Gather(boxes, picked, axis=0), op.Gather(scores, picked, axis=0)


def _suppress(boxes: Any, scores: Any, keep: int, iou: float, score: float) -> Any:
    """(K,) rows of boxes (M, 4) that stay; scores is (classes, M)."""
    triples = op.NonMaxSuppression(
        op.Unsqueeze(boxes, _ints([0])),
        op.Unsqueeze(scores, _ints([0])),
        _ints([keep]),
        op.Constant(value_floats=[iou]),
        op.Constant(value_floats=[score]),
    )
    return op.Squeeze(op.Gather(triples, _ints([2]), axis=1), _ints([1]))


def _columns(boxes: Any, start: int, end: int) -> Any:
    return op.Slice(boxes, _ints([start]), _ints([end]), _ints([1]))


def _float(value: float) -> Any:
    return op.Constant(value_float=value)


def _ints(values: Sequence[int]) -> Any:
    return op.Constant(value_ints=list(values))


def graphs() -> dict[Any, Callable[..., Any]]:
    """For the exporter: each op, and what writes its graph."""
    ops = torch.ops.masa
    return {
        ops.deform_conv.default: _deform_conv_graph,
        ops.pool.default: _pool_graph,
        ops.proposals.default: _proposals_graph,
        ops.objects.default: _objects_graph,
    }
