"""The layer that fits an embedding to new frames, in closed form, and its place in the graph.

It is linear discriminant analysis in the space of the embedding: directions in which one thing
looks different from frame to frame are made shorter. Shrinkage towards what the embedding was
keeps it from forgetting.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from masa_core.tracking.association import unit
from training.embedding.fit import Moments, discriminant
from training.sightings import Sightings

SHRINKAGES = (0.3, 1.0, 3.0, 10.0)  # of the mean variance; which one is found on held-out things
Rows = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Layer:
    """(N, D) embeddings -> unit length, minus mean (D,), times matrix (D, D), of length norm."""

    mean: NDArray[np.float32]
    matrix: NDArray[np.float32]
    norm: float

    def __call__(self, rows: Rows) -> Rows:
        return self.norm * unit((unit(rows) - self.mean) @ self.matrix)


def fit(things: Sequence[Sightings], shrinkage: float) -> Layer:
    """The layer for some things, each seen (or looked at) twice at least."""
    moments = Moments(len(things[0].rows[0]))
    lengths = []
    for thing in things:
        rows = thing.all()
        lengths.append(np.linalg.norm(rows, axis=1).mean())
        moments.add(unit(rows))
    size = len(moments.mean())
    matrix = discriminant(moments.within(), moments.total(), size, shrinkage)
    # The lengths stay what they were, since trackers are set up for them.
    return Layer(moments.mean().astype(np.float32), matrix, float(np.median(lengths)))


def choose(things: Sequence[Sightings]) -> tuple[float | None, float, float]:
    """The shrinkage that finds held-out things again best, None where no layer does better than
    the embedding as it is; that share of things without and with it.

    Each half of the things is judged by a layer that was fitted to the other one.
    """
    halves = things[: len(things) // 2], things[len(things) // 2 :]
    before = _mean([self_retrieval(half, lambda rows: rows) for half in halves])
    best: tuple[float | None, float] = (None, before)
    for shrinkage in SHRINKAGES:
        layers = fit(halves[1], shrinkage), fit(halves[0], shrinkage)
        after = _mean([self_retrieval(h, layer) for h, layer in zip(halves, layers, strict=True)])
        if after > best[1]:
            best = shrinkage, after
    return best[0], before, best[1]


def self_retrieval(things: Sequence[Sightings], layer: Callable[[Rows], Rows]) -> float:
    """Share of things whose last look is nearer (cosine) to their first one than the last look of
    anything that was there beside them. NaN where nothing is beside anything."""
    firsts = unit(layer(np.stack([thing.rows[0] for thing in things])))
    lasts = unit(layer(np.stack([thing.shaken[-1] for thing in things])))
    right = []
    for i, thing in enumerate(things):
        rivals = [j for j, other in enumerate(things) if j != i and thing.beside(other)]
        if rivals:
            right.append(firsts[i] @ lasts[i] > (lasts[rivals] @ firsts[i]).max())
    return float(np.mean(right)) if right else float("nan")


def append(graph: onnx.ModelProto, layer: Layer) -> onnx.ModelProto:
    """The graph with the layer between what was its output `embeddings` and the new one."""
    result = onnx.ModelProto()
    result.CopyFrom(graph)
    used = {name for node in result.graph.node for name in node.output}
    start = "adapted"
    while any(name.startswith(start) for name in used):
        start += "_again"
    for node in result.graph.node:
        for names in (node.input, node.output):
            for i, name in enumerate(names):
                if name == "embeddings":
                    names[i] = f"{start}_from"
    for name, value in (("mean", layer.mean), ("matrix", layer.matrix)):
        half = numpy_helper.from_array(value.astype(np.float16), f"{start}_{name}_fp16")
        result.graph.initializer.append(half)
        result.graph.node.append(
            helper.make_node("Cast", [half.name], [f"{start}_{name}"], to=TensorProto.FLOAT)
        )
    norm = numpy_helper.from_array(np.float32(layer.norm), f"{start}_norm")
    result.graph.initializer.append(norm)
    for kind, inputs, output, attributes in (
        ("LpNormalization", ["from"], "unit", {"axis": 1, "p": 2}),
        ("Sub", ["unit", "mean"], "centred", {}),
        ("MatMul", ["centred", "matrix"], "moved", {}),
        ("LpNormalization", ["moved"], "direction", {"axis": 1, "p": 2}),
    ):
        names = [f"{start}_{name}" for name in inputs]
        result.graph.node.append(helper.make_node(kind, names, [f"{start}_{output}"], **attributes))
    last = [f"{start}_direction", norm.name]
    result.graph.node.append(helper.make_node("Mul", last, ["embeddings"]))
    return result


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
