"""The graph from a feature map and boxes to embeddings, untrained: RoIAlign, whitened, one norm."""

from __future__ import annotations

import numpy as np
import onnx
from nanodet_graph import IR_VERSION, MAPS, OPSET
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

# Of the maps, the early one knows people apart best: those of the neck know what a thing is and
# where it is, which is no help when it has moved (MODEL_CARD.md has the figures).
MAP, STRIDE = "stride4", 4
STRIPES = 6  # of a box, one above the other: head, body and legs stay apart
SIZE = STRIPES * MAPS[MAP]  # of an embedding
_SHRINKAGE = 0.01  # of the largest variance, added to all, so that whitening lifts no noise


def embedding_graph(
    mean: NDArray[np.float32], whitening: NDArray[np.float32], norm: float
) -> onnx.ModelProto:
    """A graph MAP, `boxes` -> `embeddings` (N, SIZE) float32, of length `norm`.

    boxes: (N, 4) float32, x1 y1 x2 y2 in pixels of the network input. A box without any feature
    gets the embedding of the mean. mean: (SIZE,), whitening: (SIZE, SIZE), as `statistics` gives.
    """
    constants = {
        "columns": np.array([-1, SIZE]),
        "tiny": np.array(1e-6, np.float32),
        "mean": mean.astype(np.float32),
        "whitening_fp16": whitening.astype(np.float16),
        "norm": np.array(norm, np.float32),
    }
    zero = helper.make_tensor("zero", TensorProto.INT64, [1], [0])
    window = {"output_height": STRIPES, "output_width": 1, "spatial_scale": 1 / STRIDE}
    nodes = [
        helper.make_node("Shape", ["boxes"], ["box_count"], start=0, end=1),
        helper.make_node("ConstantOfShape", ["box_count"], ["image_of_box"], value=zero),
        helper.make_node("RoiAlign", [MAP, "boxes", "image_of_box"], ["pooled"], **window),
        helper.make_node("Reshape", ["pooled", "columns"], ["flat"]),
        *_normalised("flat", "plain"),
        helper.make_node("Sub", ["plain", "mean"], ["centred"]),
        helper.make_node("Cast", ["whitening_fp16"], ["whitening"], to=TensorProto.FLOAT),
        helper.make_node("MatMul", ["centred", "whitening"], ["whitened"]),
        *_normalised("whitened", "direction"),
        helper.make_node("Mul", ["direction", "norm"], ["embeddings"]),
    ]
    inputs = [_value(MAP, [1, MAPS[MAP], "height", "width"]), _value("boxes", ["boxes", 4])]
    outputs = [_value("embeddings", ["boxes", SIZE])]
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "roi_align_whitened", inputs, outputs, weights)
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model


def plain_graph() -> onnx.ModelProto:
    """The same without statistics: embeddings of length 1 as they come out of the map."""
    return embedding_graph(np.zeros(SIZE, np.float32), np.eye(SIZE, dtype=np.float32), 1.0)


def statistics(plain: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean and whitening of many plain embeddings (N, SIZE)."""
    variances, axes = np.linalg.eigh(np.cov(plain.astype(np.float64).T))
    scales = (variances + _SHRINKAGE * variances.max()) ** -0.5
    # Back on the axes it came from, so that the sign of an eigenvector makes no difference; the
    # length makes none either, and 1 at most suits fp16.
    whitening = (axes * (scales / scales.max())) @ axes.T
    return plain.mean(axis=0), whitening.astype(np.float32)


def _normalised(x: str, y: str) -> list[onnx.NodeProto]:
    return [
        helper.make_node("ReduceL2", [x], [f"{x}_length"], axes=[1]),
        helper.make_node("Max", [f"{x}_length", "tiny"], [f"{x}_divisor"]),
        helper.make_node("Div", [x, f"{x}_divisor"], [y]),
    ]


def _value(name: str, shape: list[str | int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
