"""What is measured of a crop, as an ONNX graph: shares of colour words, and means of the stem.

Both are pooled in horizontal stripes, where the middle of a stripe counts more than its ends: there
is the object, and at the ends mostly background.

Colour words are cluster centres of pixels (brightness and two chroma that a gain changes little);
a pixel belongs to each word by a softmax of squared distances. Shares are square-rooted, so that
Euclidean distances between them are Hellinger's. The stem is the frozen detector's first layers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from onnx.utils import Extractor

CROP = (128, 64)  # height, width of a crop, px
STRIPES = 8
MIDDLE = 0.3  # standard deviation of the weights across a stripe, in widths of the crop
FLOOR = 1e-4  # of a share: below it, differences are noise
DARK = 0.05  # added to brightness before chroma is divided by it


@dataclass(frozen=True, eq=False)
class Stem:
    """The first layers of a detector, cut out of its image graph.

    model: `image` (N, 3, *CROP), normalised, to the tensors `maps`. mean, std: (3,) of the
    channels BGR, as the detector's frames are normalised.
    """

    model: onnx.ModelProto
    maps: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


@dataclass(frozen=True, eq=False)
class Words:
    """centres: (W, 3) float32. temperature: of the softmax, a squared distance."""

    centres: NDArray[np.float32]
    temperature: float


def cut_stem(image_graph: onnx.ModelProto, mean: tuple[float, ...], std: tuple[float, ...]) -> Stem:
    """The layers of NanoDet-G up to its maps of strides 2 (first convolution) and 4."""
    model = onnx.shape_inference.infer_shapes(image_graph)
    first = next(node.output[0] for node in model.graph.node if node.op_type == "LeakyRelu")
    maps = (first, "stride4")
    return Stem(Extractor(model).extract_model(["image"], list(maps)), maps, mean, std)


class Graph:
    """Nodes and weights of a graph so far; its methods add to them and give tensors' names."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def node(self, kind: str, *inputs: str, name: str = "", **attributes: object) -> str:
        name = name or f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name, **attributes))
        return name

    def constant(self, value: object, dtype: type = np.float32) -> str:
        name = f"constant_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(value, dtype), name))
        return name

    def stored_half(self, value: NDArray[np.float32]) -> str:
        """A constant that the file holds in fp16."""
        return self.node("Cast", self.constant(value, np.float16), to=TensorProto.FLOAT)

    def model(self, name: str, output: str, shape: list[str | int]) -> onnx.ModelProto:
        """`crops` (N, 3, *CROP) BGR 0..255 to one output."""
        crops = helper.make_tensor_value_info("crops", TensorProto.FLOAT, ["boxes", 3, *CROP])
        result = helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)
        graph = helper.make_graph(self.nodes, name, [crops], [result], self.weights)
        opsets = [helper.make_opsetid("", 17)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model


def pixels_graph() -> onnx.ModelProto:
    """`crops` to `pixels` (N, 3, H / 2, W / 2): what colour words are centres of."""
    graph = Graph()
    _pixels(graph)
    return graph.model("pixels", "pixels", ["boxes", 3, CROP[0] // 2, CROP[1] // 2])


def measures_graph(stem: Stem, words: Words) -> onnx.ModelProto:
    """`crops` to `measures` (N, D), which statistics are made of."""
    graph = Graph()
    size = add_measures(graph, stem, words)
    return graph.model("measures", "measures", ["boxes", size])


def embedding_graph(
    stem: Stem,
    words: Words,
    mean: NDArray[np.float32],
    projection: NDArray[np.float32],
    norm: float,
) -> onnx.ModelProto:
    """`crops` to `embeddings` (N, E) of length `norm`: measures, centred and projected.

    mean: (D,). projection: (D, E). Both are held in fp16.
    """
    graph = Graph()
    add_measures(graph, stem, words)
    centred = graph.node("Sub", "measures", graph.stored_half(mean))
    projected = graph.node("MatMul", centred, graph.stored_half(projection))
    length = graph.node("ReduceL2", projected, axes=[1])
    unit = graph.node("Div", projected, graph.node("Max", length, graph.constant(1e-6)))
    graph.node("Mul", unit, graph.constant(norm), name="embeddings")
    return graph.model("embedding", "embeddings", ["boxes", projection.shape[1]])


def add_measures(graph: Graph, stem: Stem, words: Words) -> int:
    """Adds the nodes from `crops` to `measures`; gives their number D."""
    size = len(words.centres) * STRIPES
    parts = [_flat(graph, graph.node("Sqrt", _shares(graph, words)), size)]

    crops = graph.node("Sub", "crops", graph.constant(np.reshape(stem.mean, (1, 3, 1, 1))))
    graph.node("Div", crops, graph.constant(np.reshape(stem.std, (1, 3, 1, 1))), name="image")
    graph.nodes += stem.model.graph.node
    graph.weights += stem.model.graph.initializer
    for output in stem.model.graph.output:
        channels, height, width = _map_shape(output)
        pooled = _stripes(graph, output.name, height, width)
        parts.append(_flat(graph, pooled, channels * STRIPES))
        size += channels * STRIPES
    graph.node("Concat", *parts, name="measures", axis=1)
    return size


def _shares(graph: Graph, words: Words) -> str:
    """Shares of the words in each stripe, and FLOOR: (N, S, W)."""
    height, width = CROP[0] // 2, CROP[1] // 2
    listed = graph.node("Reshape", _pixels(graph), graph.constant([0, 0, -1], np.int64))
    listed = graph.node("Transpose", listed, perm=[0, 2, 1])  # words last: softmax is fast there
    # The softmax of -|p - c|^2 / t does not see |p|^2: what is left is linear in p.
    slopes = 2 / words.temperature * words.centres.T
    offsets = -(words.centres**2).sum(axis=1) / words.temperature
    logits = graph.node("MatMul", listed, graph.constant(slopes))
    logits = graph.node("Add", logits, graph.constant(offsets))
    belongs = graph.node("Softmax", logits, axis=2)
    pooling = np.zeros((STRIPES, height, width))
    for stripe, rows in enumerate(np.array_split(np.arange(height), STRIPES)):
        pooling[stripe, rows] = _across(width) / len(rows)
    shares = graph.node("MatMul", graph.constant(pooling.reshape(STRIPES, -1)), belongs)
    return graph.node("Add", shares, graph.constant(FLOOR))


def _pixels(graph: Graph) -> str:
    """sqrt(I), 2 (R - G) / sqrt(I + DARK), (R + G - 2 B) / sqrt(I + DARK) of 2x2 pixels each."""
    halved = graph.node("AveragePool", "crops", kernel_shape=[2, 2], strides=[2, 2])
    mix = np.array([[1 / 3, 1 / 3, 1 / 3], [0, -2, 2], [-2, 1, 1]]) / 255  # of B, G and R
    mixed = graph.node("Conv", halved, graph.constant(mix[:, :, None, None]))
    bright, chroma = f"{mixed}_bright", f"{mixed}_chroma"
    split = graph.constant([1, 2], np.int64)
    graph.nodes.append(helper.make_node("Split", [mixed, split], [bright, chroma], axis=1))
    divisor = graph.node("Sqrt", graph.node("Add", bright, graph.constant(DARK)))
    parts = [graph.node("Sqrt", graph.node("Relu", bright)), graph.node("Div", chroma, divisor)]
    return graph.node("Concat", *parts, name="pixels", axis=1)


def _stripes(graph: Graph, x: str, height: int, width: int) -> str:
    """Means over stripes of a map (N, C, height, width), the middle weighing more: (N, C, S)."""
    rows = graph.node("MatMul", x, graph.constant(_across(width)[:, None]))
    shape = graph.constant([0, 0, STRIPES, height // STRIPES], np.int64)
    return graph.node("ReduceMean", graph.node("Reshape", rows, shape), axes=[3], keepdims=0)


def _across(width: int) -> NDArray[np.float64]:
    """Weights of the columns of a map: most in the middle, 1 in all."""
    places = (np.arange(width) + 0.5) / width - 0.5
    weights = np.exp(-0.5 * (places / MIDDLE) ** 2)
    return np.asarray(weights / weights.sum())


def _flat(graph: Graph, x: str, size: int) -> str:
    return graph.node("Reshape", x, graph.constant([-1, size], np.int64))


def _map_shape(output: onnx.ValueInfoProto) -> tuple[int, int, int]:
    channels = output.type.tensor_type.shape.dim[1].dim_value
    stride = 4 if output.name == "stride4" else 2
    return channels, CROP[0] // stride, CROP[1] // stride
