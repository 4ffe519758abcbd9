"""Output layouts of detectors: boxes written as each family writes them are read back."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from masa_core import load_model
from masa_core.detectors import DetectorSpec, decode
from masa_core.runtime import ModelError

STRIDES = (8, 16, 32)
CLASSES = ("car", "person", "dog")
HEIGHT, WIDTH = 96, 128
CELLS = sum((HEIGHT // s) * (WIDTH // s) for s in STRIDES)
LAYOUTS = ("yolox", "yolov8", "detr")

# An object: its cell, its box in px, its class and score
objects = st.dictionaries(
    st.integers(0, CELLS - 1),
    st.tuples(
        st.tuples(*[st.floats(2, WIDTH - 2)] * 2, *[st.floats(1, 60)] * 2),
        st.integers(0, len(CLASSES) - 1),
        st.floats(0.35, 0.99),
    ),
    max_size=8,
)


def spec(layout: str, **changes: object) -> DetectorSpec:
    names = ("logits", "boxes") if layout == "detr" else ("predictions",)
    values = {
        "layout": layout,
        "outputs": {name: name for name in names},
        "strides": STRIDES,
        "score_threshold": 0.3,
        "nms_iou": 1.0,
        "max_detections": 100,
        "classes": CLASSES,
    }
    return DetectorSpec(**{**values, **changes})


def cell(index: int) -> tuple[int, int, int]:
    """Column, row and stride of a cell."""
    for stride in STRIDES:
        columns, count = WIDTH // stride, (HEIGHT // stride) * (WIDTH // stride)
        if index < count:
            return index % columns, index // columns, stride
        index -= count
    raise AssertionError


def write(layout: str, found: dict[int, tuple]) -> dict[str, np.ndarray]:
    """The tensors in which a detector of the family gives the objects, all else being faint."""
    boxes = np.full((CELLS, 4), 3.0, np.float32)
    scores = np.full((CELLS, len(CLASSES)), 0.1, np.float32)
    for index, (box, label, score) in found.items():
        boxes[index], scores[index, label] = box, score
    if layout == "detr":
        logits = np.log(scores / (1 - scores))
        return {"logits": logits[None], "boxes": boxes[None] / [WIDTH, HEIGHT, WIDTH, HEIGHT]}
    if layout == "yolov8":
        return {"predictions": np.concatenate((boxes, scores), axis=1).T[None]}
    for index in range(CELLS):
        column, row, stride = cell(index)
        boxes[index, :2] = boxes[index, :2] / stride - (column, row)
        boxes[index, 2:] = np.log(boxes[index, 2:] / stride)
    objectness = np.full((CELLS, 1), 0.995, np.float32)
    return {"predictions": np.concatenate((boxes, objectness, scores / 0.995), axis=1)[None]}


def expected(found: dict[int, tuple]) -> list[tuple[float, int, list[float]]]:
    """Score, label and clipped corners, best first."""
    rows = []
    for (x, y, width, height), label, score in found.values():
        box = np.array([x - width / 2, y - height / 2, x + width / 2, y + height / 2])
        rows.append((score, label, box.clip(0, [WIDTH, HEIGHT, WIDTH, HEIGHT]).tolist()))
    return sorted(rows, reverse=True)


@pytest.mark.parametrize("layout", LAYOUTS)
@settings(max_examples=50)
@given(objects)
def test_objects_are_read_as_they_were_written(layout: str, found: dict[int, tuple]) -> None:
    read = decode(write(layout, found), spec(layout), HEIGHT, WIDTH)
    assert len(read) == len(found)
    rows = zip(read.scores.tolist(), read.labels.tolist(), read.boxes.tolist(), strict=True)
    for (score, label, box), (wanted_score, wanted_label, wanted_box) in zip(
        sorted(rows, key=lambda row: (row[0], row[1]), reverse=True), expected(found), strict=True
    ):
        assert score == pytest.approx(wanted_score, abs=1e-4)
        if len({round(o[2], 3) for o in found.values()}) == len(found):
            assert label == wanted_label and box == pytest.approx(wanted_box, abs=1e-2)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize(
    "change",
    [
        lambda array: array[:, 1:] if array.shape[1] == CELLS else array[:, :4],
        lambda array: np.concatenate((array, array)),
        lambda array: array[0],
    ],
)
def test_outputs_of_another_shape_are_refused(layout: str, change) -> None:
    tensors = write(layout, {})
    last = list(tensors)[-1]
    tensors[last] = change(tensors[last])
    with pytest.raises(ValueError, match=f"layout {layout} expects"):
        decode(tensors, spec(layout), HEIGHT, WIDTH)


@pytest.mark.parametrize(
    ("layout", "needed"), [("yolox", True), ("yolov8", False), ("detr", False)]
)
def test_strides_are_asked_for_where_there_are_cells(layout: str, needed: bool) -> None:
    if needed:
        with pytest.raises(ValueError, match="needs 'strides'"):
            spec(layout, strides=())
    else:
        found = {5: ((30.0, 40.0, 10.0, 20.0), 1, 0.8)}
        assert len(decode(write(layout, found), spec(layout, strides=()), HEIGHT, WIDTH)) == 1


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_bundle_of_any_detector(layout: str, tmp_path: Path) -> None:
    """A made-up graph that always gives the same objects, run by ONNX Runtime."""
    found = {5: ((30.0, 40.0, 10.0, 20.0), 1, 0.8), 100: ((90.0, 50.0, 30.0, 30.0), 0, 0.6)}
    write_bundle(tmp_path, layout, write(layout, found))
    model = load_model(tmp_path)
    frame = np.zeros((HEIGHT * 3, WIDTH * 2, 3), np.uint8)
    features = model.encode(frame[: HEIGHT * 2])
    read = model.detect(features)
    assert read.labels.tolist() == [1, 0] and read.scores == pytest.approx([0.8, 0.6], abs=1e-3)
    wanted = np.array([[25, 30, 35, 50], [75, 35, 105, 65]]) * 2
    assert read.boxes == pytest.approx(wanted, abs=0.05)
    assert model.embed(features, read.boxes).shape == (2, 3)


def test_channels_in_the_order_that_the_graph_wants(tmp_path: Path) -> None:
    """The made-up embedding is the mean of the input's channels."""
    frame = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    frame[:] = (10, 20, 30)  # B G R
    box = np.array([[0, 0, 5, 5]], np.float32)
    for channels, wanted in (("bgr", [9, 18, 27]), ("rgb", [29, 18, 7])):
        write_bundle(tmp_path, "yolov8", write("yolov8", {}), channels=channels, mean=[1, 2, 3])
        model = load_model(tmp_path)
        assert model.embed(model.encode(frame), box)[0] == pytest.approx(wanted, abs=1e-3)
    write_bundle(tmp_path, "yolov8", write("yolov8", {}), channels="gbr")
    with pytest.raises(ModelError, match="must be bgr or rgb"):
        load_model(tmp_path)


def write_bundle(
    folder: Path, layout: str, tensors: dict[str, np.ndarray], mean=(0, 0, 0), channels="bgr"
) -> None:
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper, numpy_helper

    def save(name, nodes, inputs, outputs, constants):
        graph = helper.make_graph(nodes, "made_up", inputs, outputs, constants)
        opset = [helper.make_opsetid("", 17)]
        onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), folder / name)

    def value(name, shape):
        return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)

    image = value("images", [1, 3, "height", "width"])
    mean_node = helper.make_node("ReduceMean", ["images"], ["means"], axes=[2, 3], keepdims=0)
    constants = [
        numpy_helper.from_array(array.astype(np.float32), f"{name}_")
        for name, array in tensors.items()
    ]
    nodes = [helper.make_node("Identity", [f"{name}_"], [name]) for name in tensors]
    outputs = [value("means", [1, 3]), *(value(k, v.shape) for k, v in tensors.items())]
    save("image.onnx", [mean_node, *nodes], [image], outputs, constants)

    columns = numpy_helper.from_array(np.zeros((4, 3), np.float32), "zeros")
    nodes = [
        helper.make_node("MatMul", ["boxes", "zeros"], ["rows"]),
        helper.make_node("Add", ["rows", "means"], ["embeddings"]),
    ]
    inputs = [value("boxes", ["n", 4]), value("means", [1, 3])]
    save("instances.onnx", nodes, inputs, [value("embeddings", ["n", 3])], [columns])

    graphs = ("image.onnx", "instances.onnx")
    detector = {**vars(spec(layout)), "classes": list(CLASSES), "strides": list(STRIDES)}
    description = {
        "format": 1,
        "name": "made_up",
        "image": {
            "graph": "image.onnx",
            "input": "images",
            "pixels": HEIGHT * WIDTH,
            "multiple": 32,
            "mean": list(mean),
            "std": [1, 1, 1],
            "channels": channels,
        },
        "detector": detector,
        "embedding": {"graph": "instances.onnx"},
        "files": {g: hashlib.sha256((folder / g).read_bytes()).hexdigest() for g in graphs},
    }
    (folder / "bundle.yaml").write_text(yaml.safe_dump(description))
