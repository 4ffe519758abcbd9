"""Bundles: what the shipped one answers, and what is said of broken ones."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

import masa_core
from masa_core import load_model
from masa_core.assets import asset_path
from masa_core.masks import paste_mask
from masa_core.runtime import Model, ModelError
from masa_core.runtime.fit import network_size
from masa_core.runtime.ort import OrtModel
from masa_core.runtime.session import open_session
from masa_core.tracking.association import box_iou

BUNDLE = asset_path("nanodet_masa")
GIVEN = Path(__file__).parents[1] / "data" / "nanodet" / "given_graph.npz"
STRIDES = (4, 8, 16, 32)


@pytest.fixture(scope="module")
def model() -> OrtModel:
    loaded = load_model("nanodet_masa", threads=1)
    assert isinstance(loaded, OrtModel) and isinstance(loaded, Model)
    return loaded


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    """(416, 416, 3): the network's own input size for a square frame."""
    return np.load(GIVEN)["picture"].repeat(2, axis=0).repeat(2, axis=1)


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(BUNDLE, tmp_path / "copy"))


def edit(bundle: Path, change: Callable[[dict], None]) -> None:
    path = bundle / "bundle.yaml"
    content = yaml.safe_load(path.read_text())
    change(content)
    path.write_text(yaml.safe_dump(content))


def error_of(name: str | Path, **options: object) -> str:
    with pytest.raises(ModelError) as caught:
        load_model(name, **options)
    message = str(caught.value)
    assert "\n" not in message
    return message


# What the shipped bundle answers


def test_the_graph_answers_as_the_given_one(model: OrtModel, picture: np.ndarray) -> None:
    expected = np.load(GIVEN)
    tensors = model.encode(picture).tensors
    for name in ("scores", "distances"):
        found = tensors[name][0, expected["cells"]]
        assert np.abs(found - expected[name]).max() < 1e-3


@pytest.mark.parametrize("height, width", [(416, 416), (320, 544), (32, 32)])
def test_the_graph_gives_maps_of_every_stride(height: int, width: int) -> None:
    session = open_session(BUNDLE / "image.onnx", "cpu", threads=1)
    names = [f"stride{stride}" for stride in STRIDES]
    maps = session.run(names, {"image": np.zeros((1, 3, height, width), np.float32)})
    for stride, tensor in zip(STRIDES, maps, strict=True):
        assert tensor.shape[2:] == (height // stride, width // stride)


def test_boxes_are_in_pixels_of_the_frame(model: OrtModel, picture: np.ndarray) -> None:
    """Each side has a factor of its own: this frame is stretched to 416x416 too."""
    here = model.detect(model.encode(picture))
    there = model.detect(model.encode(cv2.resize(picture, (424, 408))))
    sure = np.flatnonzero(here.scores > 0.4)
    assert len(sure) == 4
    expected = here.boxes[sure] * np.array([424 / 416, 408 / 416] * 2)
    cars = there.boxes[there.labels == here.labels[sure[0]]]
    nearest = cars[box_iou(expected, cars).argmax(axis=1)]
    assert np.abs(nearest - expected).max() < 1.5


def test_detections_are_the_best_first_without_duplicates(
    model: OrtModel, picture: np.ndarray
) -> None:
    found = model.detect(model.encode(picture))
    assert model.classes[found.labels[0]] == "car" and len(model.classes) == 80
    assert (np.diff(found.scores) <= 0).all() and found.scores.min() > 0.1
    overlap = box_iou(found.boxes, found.boxes) * (found.labels[:, None] == found.labels)
    assert (overlap - np.eye(len(found))).max() < 0.61


@pytest.mark.parametrize("height, width", [(1, 1), (3, 500), (500, 3), (37, 53), (1080, 1920)])
def test_any_frame_has_detections_inside_and_embeddings(
    model: OrtModel, height: int, width: int
) -> None:
    frame = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    features = model.encode(frame)
    assert (features.height, features.width) == (height, width)
    boxes = model.detect(features).boxes
    assert boxes.min(initial=0) >= 0 and (boxes <= [width, height] * 2).all()
    embeddings = model.embed(features, np.array([[0, 0, width, height]], np.float32))
    assert np.isfinite(embeddings).all()


def test_a_box_is_embedded_alike_alone_and_among_others(
    model: OrtModel, picture: np.ndarray
) -> None:
    features = model.encode(picture)
    boxes = np.random.default_rng(0).uniform(0, 200, (30, 4)).astype(np.float32)
    boxes[:, 2:] += boxes[:, :2]
    together = model.embed(features, boxes)
    assert together.dtype == np.float32 and together.shape == (30, 256)
    assert np.linalg.norm(together, axis=1) == pytest.approx(np.full(30, 5.0), rel=1e-4)
    alone = np.concatenate([model.embed(features, boxes[row : row + 1]) for row in range(30)])
    assert np.abs(alone - together).max() < 1e-3


def test_a_thousand_boxes_take_little_memory() -> None:
    """Of a process of its own: memory that ONNX Runtime has taken, it keeps."""
    code = """
import resource, numpy as np, masa_core
model = masa_core.load_model("nanodet_masa")
features = model.encode(np.zeros((540, 960, 3), np.uint8))
peak_mib = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
corners = np.random.default_rng(0).uniform(0, 500, (1000, 2)).astype(np.float32)
before, boxes = peak_mib(), np.concatenate((corners, corners + 40), axis=1)
assert model.embed(features, boxes).shape == (1000, 256)
assert len(model.masks(features, boxes)) == 1000
print(peak_mib() - before)
"""
    run = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert float(run.stdout) < 400


def test_no_boxes_have_no_embeddings(model: OrtModel, picture: np.ndarray) -> None:
    assert model.embed(model.encode(picture), np.zeros((0, 4), np.float32)).shape == (0, 256)


def test_odd_boxes_have_finite_embeddings(model: OrtModel, picture: np.ndarray) -> None:
    boxes = [
        [10, 10, 10, 10],
        [-90, -90, -20, -20],
        [900, 900, 999, 999],
        [-50, 0, 9e9, 9e9],
        [60, 60, 20, 20],
    ]
    embeddings = model.embed(model.encode(picture), np.array(boxes, np.float32))
    assert np.isfinite(embeddings).all()


def test_an_object_is_found_again_where_it_moved(model: OrtModel, picture: np.ndarray) -> None:
    """Two patches of the picture change places; each embedding follows its patch."""
    boxes = np.array([[40, 240, 72, 304], [320, 240, 352, 304]], np.float32)
    (ax, ay, _, _), (bx, by, _, _) = boxes.astype(int)
    swapped = picture.copy()
    swapped[ay : ay + 64, ax : ax + 32] = picture[by : by + 64, bx : bx + 32]
    swapped[by : by + 64, bx : bx + 32] = picture[ay : ay + 64, ax : ax + 32]
    before = model.embed(model.encode(picture), boxes)
    after = model.embed(model.encode(swapped), boxes)
    assert list((before @ after.T).argmax(axis=1)) == [1, 0]


def test_masks_of_the_default_bundle_tell_an_object_from_its_box(model: OrtModel) -> None:
    assert model.has_masks
    frame = np.full((352, 480, 3), 90, np.uint8)
    cv2.circle(frame, (200, 160), 60, (30, 60, 220), -1)
    (mask,) = model.masks(model.encode(frame), np.array([[140, 100, 260, 220]], np.float32))
    disc = np.zeros((352, 480), np.uint8)
    cv2.circle(disc, (200, 160), 60, 1, -1)
    found, disc = paste_mask(mask, 352, 480), disc.astype(bool)
    assert (found & disc).sum() / (found | disc).sum() > 0.85  # the box itself has 0.79


def test_a_bundle_without_a_mask_head_says_so(copy: Path) -> None:
    edit(copy, lambda content: content.pop("masks"))
    model = load_model(copy)
    assert not model.has_masks
    with pytest.raises(ModelError, match="gives no masks"):
        model.masks(model.encode(np.zeros((64, 64, 3), np.uint8)), np.zeros((1, 4), np.float32))


@given(st.integers(1, 5000), st.integers(1, 5000))
def test_the_input_has_the_frame_s_shape_and_the_bundle_s_area(height: int, width: int) -> None:
    rows, columns = network_size(height, width, 416 * 416, 32)
    assert rows % 32 == columns % 32 == 0 and rows > 0 and columns > 0
    if 1 / 3 < width / height < 3:
        assert 0.85 < rows * columns / 416**2 < 1.15
        assert 0.8 < (columns / rows) / (width / height) < 1.25


@pytest.mark.parametrize(
    "frame, network",
    [((540, 960), (320, 544)), ((576, 768), (352, 480)), ((416, 416), (416, 416))],
)
def test_the_input_of_common_frames(frame: tuple[int, int], network: tuple[int, int]) -> None:
    assert network_size(*frame, 416 * 416, 32) == network


# What is said when something is wrong


def test_a_missing_description(tmp_path: Path) -> None:
    assert str(tmp_path / "bundle.yaml") in error_of(tmp_path)


@pytest.mark.parametrize("content", [b"name: [", b"\xff\xfe\x00", b"name: 2024-13-01"])
def test_a_description_that_is_no_yaml(copy: Path, content: bytes) -> None:
    (copy / "bundle.yaml").write_bytes(content)
    assert "bundle.yaml is not valid YAML" in error_of(copy)


@pytest.mark.parametrize("file", ["image.onnx", "instances.onnx"])
def test_a_missing_graph(copy: Path, file: str) -> None:
    (copy / file).unlink()
    message = error_of(copy)
    assert str(copy / file) in message and "fetch the whole bundle again" in message


def test_a_damaged_graph(copy: Path) -> None:
    content = bytearray((copy / "image.onnx").read_bytes())
    content[5000] ^= 1
    (copy / "image.onnx").write_bytes(content)
    message = error_of(copy)
    assert "SHA-256" in message and "image.onnx" in message


def test_a_graph_that_is_none(copy: Path) -> None:
    (copy / "image.onnx").write_bytes(b"no graph")
    digest = hashlib.sha256(b"no graph").hexdigest()
    edit(copy, lambda content: content["files"].update({"image.onnx": digest}))
    assert "image.onnx cannot be run by ONNX Runtime" in error_of(copy)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda c: c.update(format=2), "format: 1"),
        (lambda c: c.update(detecter={}), "unknown key 'detecter'; did you mean 'detector'?"),
        (lambda c: c["image"].pop("mean"), "'image': 'mean' is missing"),
        (lambda c: c["image"].update(pixels="many"), "'pixels' is wrong"),
        (lambda c: c["image"].update(pixels=True), "'pixels' is wrong"),
        (lambda c: c["image"].update(multiple=0), "'multiple'"),
        (lambda c: c["image"].update(input="frame"), "has the inputs ['image'], not 'frame'"),
        (lambda c: c["embedding"].update(graph="image.onnx"), "no output 'embeddings'"),
        (lambda c: c["image"].update(std=[1, 1, 0]), "'std'"),
        (lambda c: c.update(image=None), "'image' must hold"),
        (lambda c: c["files"].update({"image.onnx": 5}), "bundle.yaml says 5..."),
        (lambda c: c["detector"].update(layout="nanodt"), "did you mean 'nanodet'?"),
        (lambda c: c["detector"]["outputs"].update(scores="score"), "did you mean 'scores'?"),
        (lambda c: c["files"].pop("image.onnx"), "lacks the SHA-256 of image.onnx"),
        (lambda c: c["files"].update({"../x.onnx": "00"}), "not a file of the bundle's folder"),
    ],
)
def test_a_wrong_description(copy: Path, change: Callable[[dict], None], message: str) -> None:
    edit(copy, change)
    found = error_of(copy)
    assert message in found and str(copy) in found


def test_a_bundle_without_a_detector(copy: Path, picture: np.ndarray) -> None:
    edit(copy, lambda content: content.pop("detector"))
    model = load_model(copy)
    assert not model.has_detector and model.classes == ()
    features = model.encode(picture)
    assert len(model.embed(features, np.array([[0, 0, 50, 50]], np.float32))) == 1
    with pytest.raises(ModelError, match="hand in detections"):
        model.detect(features)


def test_an_unknown_name_is_answered_with_the_nearest() -> None:
    assert "did you mean 'nanodet_masa'?" in error_of("nanodet_mas")


def test_a_bundle_runs_in_its_own_precision_only() -> None:
    assert "dtype" in error_of("nanodet_masa", dtype="float16")


@pytest.mark.parametrize("device", ["gpu", "cuda:x", "cpu:1", "cuda:-1"])
def test_an_unknown_device(device: str) -> None:
    assert "use cpu, cuda" in error_of("nanodet_masa", device=device)


@pytest.mark.skipif(
    "CUDAExecutionProvider" in onnxruntime.get_available_providers(), reason="has CUDA"
)
def test_cuda_where_there_is_none() -> None:
    assert "pip install onnxruntime-gpu" in error_of("nanodet_masa", device="cuda")


def test_a_torch_model_without_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("masa_core.models")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.delitem(vars(masa_core), "models", raising=False)
    monkeypatch.setitem(sys.modules, "torch", None)
    assert "pip install 'masa_ros[torch]'" in error_of("masa_r50")


def test_onnxruntime_is_loaded_with_the_first_bundle_only() -> None:
    code = "import sys, masa_core.runtime; sys.exit('onnxruntime' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def graph(path: Path, nodes: list, inputs: dict, outputs: dict) -> None:
    values = [
        [onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, s) for n, s in side.items()]
        for side in (inputs, outputs)
    ]
    model = onnx.helper.make_model(
        onnx.helper.make_graph(nodes, "head", *values),
        opset_imports=[onnx.helper.make_opsetid("", 18)],
        ir_version=9,
    )
    onnx.save(model, path)


def add_head(bundle: Path, section: str, name: str, **more: object) -> None:
    def change(content: dict) -> None:
        content[section] = {"graph": name, **more}
        digest = hashlib.sha256((bundle / name).read_bytes()).hexdigest()
        content["files"][name] = digest

    edit(bundle, change)


def test_crops_are_cut_from_the_frame_itself(copy: Path) -> None:
    mean = onnx.helper.make_node("GlobalAveragePool", ["crops"], ["pooled"])
    flat = onnx.helper.make_node("Flatten", ["pooled"], ["embeddings"])
    graph(copy / "crops.onnx", [mean, flat], {"crops": ["n", 3, 8, 4]}, {"embeddings": ["n", 3]})
    add_head(copy, "embedding", "crops.onnx", crop=[8, 4])
    model = load_model(copy)
    frame = np.zeros((100, 300, 3), np.uint8)
    frame[20:30, 40:60] = (10, 20, 30)
    boxes = np.array([[40, 20, 60, 30], [290, 90, 400, 300], [500, 500, 600, 600]], np.float32)
    embeddings = model.embed(model.encode(frame), boxes)
    assert embeddings.tolist() == [[10, 20, 30], [0, 0, 0], [0, 0, 0]]


def test_crops_need_a_size(copy: Path) -> None:
    edit(copy, lambda content: content["embedding"].pop("crop"))
    assert "go together" in error_of(copy)


def test_masks_of_a_bundle_lie_in_their_boxes(copy: Path) -> None:
    # The left half of each box: a constant grid, repeated for each box.
    half = onnx.numpy_helper.from_array(np.tile([[1.0, 1, 0, 0]], (1, 4, 1)).astype("f4"), "half")
    nodes = [
        onnx.helper.make_node("Constant", [], ["half"], value=half),
        onnx.helper.make_node("ReduceMax", ["boxes", "axis"], ["row"], keepdims=1),
        onnx.helper.make_node("Mul", ["row", "zero"], ["zeros"]),
        onnx.helper.make_node("Unsqueeze", ["zeros", "axis"], ["cell"]),
        onnx.helper.make_node("Add", ["cell", "half"], ["masks"]),
    ]
    constants = {"axis": np.array([1]), "zero": np.zeros(1, "f4")}
    for name, value in constants.items():
        tensor = onnx.numpy_helper.from_array(value, name)
        nodes.insert(0, onnx.helper.make_node("Constant", [], [name], value=tensor))
    graph(copy / "masks.onnx", nodes, {"boxes": ["n", 4]}, {"masks": ["n", 4, 4]})
    add_head(copy, "masks", "masks.onnx")
    model = load_model(copy)
    assert model.has_masks
    features = model.encode(np.zeros((200, 400, 3), np.uint8))
    inside, outside, beside = model.masks(
        features, np.array([[100, 20, 180, 60], [360, 20, 440, 60], [500, 0, 600, 90]], np.float32)
    )
    assert (inside.x, inside.y, inside.width, inside.height) == (100, 20, 40, 40)
    # A box that sticks out is cut at the frame, and so is its mask.
    assert outside.x == 360 and outside.width == 20
    assert beside.width * beside.height == 0
    assert model.masks(features, np.zeros((0, 4), np.float32)) == []


def test_proposals_come_sorted_in_pixels_of_the_frame(copy: Path) -> None:
    boxes = np.array([[0, 0, 32, 32], [32, 32, 9999, 64]], "f4")
    tensors = {"boxes": boxes, "scores": np.array([0.2, 0.7], "f4")}
    nodes = [
        onnx.helper.make_node(
            "Constant", [], [name], value=onnx.numpy_helper.from_array(value, name)
        )
        for name, value in tensors.items()
    ]
    graph(copy / "proposals.onnx", nodes, {}, {"boxes": [2, 4], "scores": [2]})
    add_head(copy, "proposals", "proposals.onnx")
    model = load_model(copy)
    features = model.encode(np.zeros((208, 832, 3), np.uint8))
    found = model.detect_objects(features)
    assert found.scores.tolist() == pytest.approx([0.7, 0.2])
    scale = features.scale
    assert found.boxes[1] == pytest.approx(boxes[0] / scale)
    assert found.boxes[0, 2] == 832
    edit(copy, lambda content: content.pop("proposals"))
    with pytest.raises(ModelError, match="no section 'proposals'"):
        load_model(copy).detect_objects(features)


def test_a_head_without_its_output_is_refused(copy: Path) -> None:
    shutil.copy(copy / "instances.onnx", copy / "masks.onnx")
    add_head(copy, "masks", "masks.onnx")
    assert "no output 'masks'" in error_of(copy)
