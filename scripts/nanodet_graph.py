"""NanoDet-G written down anew from the weights of the given graph: NCHW, any size, maps as outputs.

The given file came from PyTorch by way of TensorFlow: a transposition at every step (161 of 333
nodes), padding and bias as nodes of their own, sizes fixed at 416x416. Weights keep their fp16
storage, and with it their exact values; ONNX Runtime unpacks them when the graph is loaded.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

OPSET, IR_VERSION = 17, 8  # known to every ONNX Runtime since 1.12 and to TensorRT since 8.5

CLASSES, BINS = 80, 11
MAPS = {"stride4": 64, "stride8": 128, "stride16": 128, "stride32": 128}  # name -> channels


def clean(given: onnx.ModelProto) -> onnx.ModelProto:
    """The same network as a graph `image` -> `scores`, `distances` and MAPS.

    image: (1, 3, H, W) float32, normalised BGR; H and W multiples of 32. scores: (1, n, CLASSES)
    after the sigmoid, the cells of strides 8, 16 and 32 one after the other. distances:
    (1, n, 4 x BINS), before the softmax.
    """
    net = _Network(_convolutions(given.graph))

    stem = net.node("MaxPool", [net.conv("image", stride=2)], **_window(3, stride=2))
    stage4 = net.stage(stem, stride=1, blocks=1, name="stride4")
    stage8 = net.stage(stage4, stride=2, blocks=2)
    lateral8 = net.conv(stage8, activation=False)
    stage16 = net.stage(stage8, stride=2, blocks=2)
    lateral16 = net.conv(stage16, activation=False)
    stage32 = net.stage(stage16, stride=2, blocks=3)
    lateral32 = net.conv(stage32, activation=False)

    top16 = net.node("Add", [lateral16, net.up(lateral32)])
    pan8 = net.node("Add", [lateral8, net.up(top16)], "stride8")
    pan16 = net.node("Add", [top16, net.down(pan8)], "stride16")
    pan32 = net.node("Add", [lateral32, net.down(pan16)], "stride32")

    heads = [net.head(pan) for pan in (pan8, pan16, pan32)]
    net.node("Concat", [scores for scores, _ in heads], "scores", axis=1)
    net.node("Concat", [distances for _, distances in heads], "distances", axis=1)

    def value(name: str, shape: list[Any]) -> onnx.ValueInfoProto:
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    outputs = [value("scores", [1, "cells", CLASSES]), value("distances", [1, "cells", 4 * BINS])]
    outputs += [value(name, [1, n, f"{name}_h", f"{name}_w"]) for name, n in MAPS.items()]
    inputs = [value("image", [1, 3, "height", "width"])]
    graph = helper.make_graph(net.nodes, "nanodet_g", inputs, outputs, net.weights)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    onnx.checker.check_model(model, full_check=True)
    return model


def _convolutions(given: onnx.GraphProto) -> list[tuple[NDArray[Any], NDArray[Any]]]:
    """(weight, bias) of every convolution, in the order in which the network runs them."""
    stored = {i.name: numpy_helper.to_array(i) for i in given.initializer}
    stored |= {n.output[0]: stored[n.input[0]] for n in given.node if n.op_type == "Cast"}
    users = {name: node for node in given.node for name in node.input}
    found = []
    for conv in (n for n in given.node if n.op_type == "Conv"):
        after = users[conv.output[0]]  # a transposition, then the bias
        bias = users[after.output[0]]
        found.append((stored[conv.input[1]], stored[bias.input[1]]))
    # The heads run side by side there: 3x3 and 1x1 of each, one after the other, here.
    backbone, heads = found[:-6], found[-6:]
    hidden = [c for c in heads if c[0].shape[2] == 3]
    final = [c for c in heads if c[0].shape[2] == 1]
    return backbone + [c for pair in zip(hidden, final, strict=True) for c in pair]


def _window(kernel: int, stride: int) -> dict[str, Any]:
    return {"kernel_shape": [kernel] * 2, "strides": [stride] * 2, "pads": [kernel // 2] * 4}


class _Network:
    """Nodes and weights of the graph so far. Its methods add to them and give tensors' names."""

    def __init__(self, convolutions: list[tuple[NDArray[Any], NDArray[Any]]]) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []
        self._convolutions = iter(convolutions)
        self._scale = self.weight("twice", np.array([1, 1, 2, 2], np.float32))

    def node(self, kind: str, inputs: list[str], name: str = "", **attributes: Any) -> str:
        name = name or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def weight(self, name: str, values: NDArray[Any]) -> str:
        if values.dtype == np.float16:
            self.weights.append(numpy_helper.from_array(values, f"{name}_fp16"))
            return self.node("Cast", [f"{name}_fp16"], name, to=TensorProto.FLOAT)
        self.weights.append(numpy_helper.from_array(values, name))
        return name

    def conv(self, x: str, stride: int = 1, activation: bool = True) -> str:
        """The next convolution, with its bias."""
        weight, bias = next(self._convolutions)
        at = len(self.nodes)
        names = [self.weight(f"weight_{at}", weight), self.weight(f"bias_{at}", bias)]
        y = self.node("Conv", [x, *names], **_window(weight.shape[2], stride))
        return self.node("LeakyRelu", [y], alpha=0.1) if activation else y

    def stage(self, x: str, stride: int, blocks: int, name: str = "") -> str:
        """A cross stage partial stage: half of what leaves it went through all blocks."""
        y = first = self.conv(x, stride)
        for _ in range(blocks):
            narrow = self.conv(y)
            y = self.node("Concat", [self.conv(narrow), narrow], axis=1)
        return self.node("Concat", [self.conv(y), first], name, axis=1)

    def up(self, x: str) -> str:
        mode = {"mode": "linear", "coordinate_transformation_mode": "half_pixel"}
        return self.node("Resize", [x, "", self._scale], **mode)

    def down(self, x: str) -> str:
        """Bilinear to half the size, which is the mean of 2x2 pixels."""
        return self.node("AveragePool", [x], kernel_shape=[2, 2], strides=[2, 2])

    def head(self, x: str) -> tuple[str, str]:
        """Scores (1, cells, CLASSES) and distances (1, cells, 4 x BINS) of one stride."""
        y = self.conv(self.conv(x), activation=False)
        shape = self.weight(f"rows_{len(self.nodes)}", np.array([1, CLASSES + 4 * BINS, -1]))
        y = self.node("Reshape", [y, shape])
        y = self.node("Transpose", [y], perm=[0, 2, 1])
        split = self.weight(f"split_{len(self.nodes)}", np.array([CLASSES, 4 * BINS]))
        logits, distances = (f"{y}_{part}" for part in ("logits", "distances"))
        self.nodes.append(helper.make_node("Split", [y, split], [logits, distances], axis=2))
        return self.node("Sigmoid", [logits]), distances
