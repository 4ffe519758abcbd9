"""The graph from feature maps and boxes to embeddings, untrained: RoIAlign of each map."""

from __future__ import annotations

import numpy as np
import onnx
from nanodet_graph import IR_VERSION, MAPS, OPSET
from onnx import TensorProto, helper, numpy_helper

STRIPES = 3  # of a box, one above the other: head, body and legs stay apart


def pooled_maps(norm: float) -> onnx.ModelProto:
    """A graph MAPS, `boxes` -> `embeddings` (N, D) float32, of length `norm`.

    boxes: (N, 4) float32, x1 y1 x2 y2 in pixels of the network input.
    """
    constants = {
        "columns": np.array([-1, STRIPES * sum(MAPS.values())]),
        "norm": np.array(norm, np.float32),
        "tiny": np.array(1e-6, np.float32),  # a box without any feature gets the embedding 0
    }
    nodes = [
        helper.make_node("Shape", ["boxes"], ["box_count"], start=0, end=1),
        helper.make_node(
            "ConstantOfShape",
            ["box_count"],
            ["image_of_box"],
            value=helper.make_tensor("zero", TensorProto.INT64, [1], [0]),
        ),
    ]
    for name in MAPS:
        stride = int(name.removeprefix("stride"))
        nodes.append(
            helper.make_node(
                "RoiAlign",
                [name, "boxes", "image_of_box"],
                [f"pooled_{name}"],
                output_height=STRIPES,
                output_width=1,
                spatial_scale=1 / stride,
            )
        )
    nodes += [
        helper.make_node("Concat", [f"pooled_{name}" for name in MAPS], ["pooled"], axis=1),
        helper.make_node("Reshape", ["pooled", "columns"], ["flat"]),
        helper.make_node("ReduceL2", ["flat"], ["length"], axes=[1]),
        helper.make_node("Max", ["length", "tiny"], ["divisor"]),
        helper.make_node("Div", ["flat", "divisor"], ["direction"]),
        helper.make_node("Mul", ["direction", "norm"], ["embeddings"]),
    ]
    inputs = [_value(name, [1, n, f"{name}_h", f"{name}_w"]) for name, n in MAPS.items()]
    inputs.append(_value("boxes", ["boxes", 4]))
    outputs = [_value("embeddings", ["boxes", STRIPES * sum(MAPS.values())])]
    weights = [numpy_helper.from_array(value, name) for name, value in constants.items()]
    graph = helper.make_graph(nodes, "pooled_maps", inputs, outputs, weights)
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    onnx.checker.check_model(model, full_check=True)
    return model


def _value(name: str, shape: list[str | int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)
