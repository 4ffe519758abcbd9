"""What is measured of a crop, as an ONNX graph: shares of colour words, and means of the stem.

Both are averaged in horizontal stripes, where what a small network takes for the object counts
ten times as much as what it takes for background.

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

from masa_core.runtime import ModelError

CROP = (128, 64)  # height, width of a crop, px
STRIPES = 8
BACKGROUND = 0.1  # weight of what is surely not the object, which has 1
FLOOR = 1e-4  # of a share: below it, differences are noise
DARK = 0.05  # added to brightness before chroma is divided by it
OPSET = 18
_KEEP = {"rename_inputs": False, "rename_outputs": False}


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
    """The layers of NanoDet-G up to its maps of strides 2 (first convolution) and 4.

    Raises ModelError for the graph of another detector.
    """
    model = onnx.shape_inference.infer_shapes(image_graph)
    first = [node.output[0] for node in model.graph.node if node.op_type == "LeakyRelu"]
    tensors = {name for node in model.graph.node for name in (*node.input, *node.output)}
    if not first or not {"image", "stride4"} <= tensors:
        raise ModelError(
            "this form of embedding is for the included NanoDet: for another detector, "
            "python -m training.train learns an adapter"
        )
    maps = (first[0], "stride4")
    return Stem(Extractor(model).extract_model(["image"], list(maps)), maps, mean, std)


@dataclass(frozen=True, eq=False)
class Form:
    """All that measures are made with. foreground: `stride4` to `foreground`, see foreground.py."""

    stem: Stem
    words: Words
    foreground: onnx.ModelProto


class Graph:
    """Nodes and weights of a graph so far; its methods add to them and give tensors' names."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, model: onnx.ModelProto) -> None:
        """All of a model, whose inputs are tensors of this graph."""
        self.nodes += model.graph.node
        self.weights += model.graph.initializer

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

    def model(
        self, source: str, shape: list[int], output: str, output_shape: list[int]
    ) -> onnx.ModelProto:
        """One input to one output, shapes less the number of boxes, which is first."""
        ends = [
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["boxes", *sides])]
            for name, sides in ((source, shape), (output, output_shape))
        ]
        graph = helper.make_graph(self.nodes, output, *ends, self.weights)
        opsets = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
        onnx.checker.check_model(model, full_check=True)
        return model

    def of_crops(self, output: str, *shape: int) -> onnx.ModelProto:
        """`crops` (N, 3, *CROP) BGR 0..255 to one output."""
        return self.model("crops", [3, *CROP], output, [*shape])


def pixels_graph() -> onnx.ModelProto:
    """`crops` to `pixels` (N, 3, H / 2, W / 2): what colour words are centres of."""
    graph = Graph()
    _pixels(graph)
    return graph.of_crops("pixels", 3, CROP[0] // 2, CROP[1] // 2)


def stem_graph(stem: Stem) -> onnx.ModelProto:
    """`crops` to `stride4` (N, C, H / 4, W / 4)."""
    graph = Graph()
    _add_stem(graph, stem)
    channels, height, width = _map_shape(stem.model.graph.output[1])
    return graph.of_crops("stride4", channels, height, width)


def measures_graph(form: Form) -> onnx.ModelProto:
    """`crops` to `measures` (N, D), which statistics are made of."""
    graph = Graph()
    size = add_measures(graph, form)
    return graph.of_crops("measures", size)


def embedding_graph(
    form: Form, mean: NDArray[np.float32], projection: NDArray[np.float32], norm: float
) -> onnx.ModelProto:
    """`crops` to `embeddings` (N, E) of length `norm`: measures, centred and projected.

    mean: (D,). projection: (D, E). Both are held in fp16.
    """
    graph = Graph()
    add_measures(graph, form)
    centred = graph.node("Sub", "measures", graph.stored_half(mean))
    projected = graph.node("MatMul", centred, graph.stored_half(projection))
    length = graph.node("ReduceL2", projected, graph.constant([1], np.int64))
    unit = graph.node("Div", projected, graph.node("Max", length, graph.constant(1e-6)))
    graph.node("Mul", unit, graph.constant(norm), name="embeddings")
    return graph.of_crops("embeddings", projection.shape[1])


def add_measures(graph: Graph, form: Form) -> int:
    """Adds the nodes from `crops` to `measures`; gives their number D."""
    _add_stem(graph, form.stem)
    graph.add(onnx.compose.add_prefix(form.foreground, "foreground_", **_KEEP))
    chance = graph.node("Sigmoid", "foreground")
    scaled = graph.node("Mul", chance, graph.constant(1 - BACKGROUND))
    weights4 = graph.node("Add", scaled, graph.constant(BACKGROUND))
    doubled = graph.constant([1, 1, 2, 2])
    weights2 = graph.node("Resize", weights4, "", doubled, mode="nearest")
    weights = {2: _of_stripes(graph, weights2), 4: _of_stripes(graph, weights4)}

    size = len(form.words.centres) * STRIPES
    shares = _shares(graph, form.words, weights[2])
    parts = [_flat(graph, graph.node("Sqrt", shares), size)]
    for output in form.stem.model.graph.output:
        channels, height, _ = _map_shape(output)
        pooled = _stripes(graph, output.name, weights[CROP[0] // height])
        parts.append(_flat(graph, pooled, channels * STRIPES))
        size += channels * STRIPES
    graph.node("Concat", *parts, name="measures", axis=1)
    return size


def _add_stem(graph: Graph, stem: Stem) -> None:
    crops = graph.node("Sub", "crops", graph.constant(np.reshape(stem.mean, (1, 3, 1, 1))))
    graph.node("Div", crops, graph.constant(np.reshape(stem.std, (1, 3, 1, 1))), name="image")
    graph.add(stem.model)


def _of_stripes(graph: Graph, weights: str) -> str:
    """(N, 1, height, width) weights to (N, 1, S, pixels of a stripe), 1 in sum over each stripe."""
    shape = graph.constant([0, 0, STRIPES, -1], np.int64)
    listed = graph.node("Reshape", weights, shape)
    return graph.node("Div", listed, graph.node("ReduceSum", listed, graph.constant([3], np.int64)))


def _shares(graph: Graph, words: Words, weights: str) -> str:
    """Shares of the words in each stripe, and FLOOR: (N, S, 1, W)."""
    listed = graph.node("Reshape", _pixels(graph), graph.constant([0, 0, -1], np.int64))
    listed = graph.node("Transpose", listed, perm=[0, 2, 1])  # words last: softmax is fast there
    # The softmax of -|p - c|^2 / t does not see |p|^2: what is left is linear in p.
    slopes = 2 / words.temperature * words.centres.T
    offsets = -(words.centres**2).sum(axis=1) / words.temperature
    logits = graph.node("MatMul", listed, graph.constant(slopes))
    logits = graph.node("Add", logits, graph.constant(offsets))
    belongs = graph.node("Softmax", logits, axis=2)
    shape = graph.constant([0, STRIPES, -1, len(words.centres)], np.int64)
    belongs = graph.node("Reshape", belongs, shape)
    rows = graph.node("Transpose", weights, perm=[0, 2, 1, 3])
    return graph.node("Add", graph.node("MatMul", rows, belongs), graph.constant(FLOOR))


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


def _stripes(graph: Graph, x: str, weights: str) -> str:
    """Weighted means over stripes of a map (N, C, height, width): (N, C, S)."""
    listed = graph.node("Reshape", x, graph.constant([0, 0, STRIPES, -1], np.int64))
    weighted = graph.node("Mul", listed, weights)
    return graph.node("ReduceSum", weighted, graph.constant([3], np.int64), keepdims=0)


def _flat(graph: Graph, x: str, size: int) -> str:
    return graph.node("Reshape", x, graph.constant([-1, size], np.int64))


def _map_shape(output: onnx.ValueInfoProto) -> tuple[int, int, int]:
    channels = output.type.tensor_type.shape.dim[1].dim_value
    stride = 4 if output.name == "stride4" else 2
    return channels, CROP[0] // stride, CROP[1] // stride
