"""Bundles made of torch models give what the models give."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnxscript")
pytest.importorskip("segment_anything")

from masa_core.models import onnx_graphs  # noqa: E402
from masa_core.models.export import export  # noqa: E402
from masa_core.runtime.ort import OrtModel  # noqa: E402
from masa_core.runtime.protocol import ModelError  # noqa: E402

from .small import small_masa, small_masa_sam  # noqa: E402

pytestmark = pytest.mark.torch

FRAME = (90, 128)


@pytest.fixture(scope="module", params=[small_masa, small_masa_sam])
def pair(request, tmp_path_factory):
    """A torch model and its bundle."""
    model = request.param()
    for block in model.masa_adapter[1].dyhead_blocks:  # as made, all offsets are zero
        torch.nn.init.normal_(block.spatial_conv_offset.weight, std=0.05)
    # As made, scores are all but equal, and rounding decides what suppresses what.
    torch.nn.init.normal_(model.rpn_head.rpn_cls.weight)
    torch.nn.init.normal_(model.roi_head.bbox_head.fc_cls.weight)
    folder = tmp_path_factory.mktemp("made") / "bundle"
    export(model, folder, FRAME)
    return model, OrtModel(folder)


def frame(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [FRAME, (45, 64), (720, 1024)])
def test_a_bundle_equals_its_model(pair, size):
    model, bundle = pair
    picture = frame(*size)
    ours, theirs = bundle.encode(picture), model.encode(picture)
    assert np.allclose(ours.scale, theirs.scale * 2)
    for i in range(4):
        difference = np.abs(ours.tensors[f"level{i}"] - theirs.pyramid[i].numpy())
        assert difference.max() < 1e-3

    found, expected = bundle.detect(ours), model.detect(theirs)
    assert len(found) == len(expected) > 10
    assert np.abs(found.boxes - expected.boxes).max() < 1e-2
    assert np.abs(found.scores - expected.scores).max() < 1e-4

    for rows in (slice(None), slice(0, 1), slice(0, 0)):
        boxes = expected.boxes[rows]
        a, b = bundle.embed(ours, boxes), model.embed(theirs, boxes)
        assert a.shape == b.shape
        assert np.abs(a - b).max(initial=0) < 1e-3


def test_a_frame_of_another_shape_is_fitted_in(pair):
    _, bundle = pair
    features = bundle.encode(frame(200, 100))
    found = bundle.detect(features)
    assert len(found) > 0
    assert (found.boxes[:, 2] <= 100.01).all() and (found.boxes[:, 3] <= 200.01).all()
    assert np.isfinite(bundle.embed(features, found.boxes)).all()


@pytest.mark.slow
def test_weights_too_large_for_an_onnx_file_lie_beside_it(tmp_path, monkeypatch):
    monkeypatch.setattr(onnx_graphs, "LARGE", 0)  # as for ViT-H
    model = small_masa()
    export(model, tmp_path / "bundle", FRAME)
    assert (tmp_path / "bundle" / "image.onnx").stat().st_size < 2_000_000
    bundle = OrtModel(tmp_path / "bundle")
    boxes = np.array([[10, 10, 60, 70]], np.float32)
    ours = bundle.embed(bundle.encode(frame(*FRAME)), boxes)
    assert np.abs(ours - model.embed(model.encode(frame(*FRAME)), boxes)).max() < 1e-3

    data = tmp_path / "bundle" / "image.onnx.data"
    data.write_bytes(data.read_bytes()[:-1] + b"x")
    with pytest.raises(ModelError, match=r"image\.onnx\.data has SHA-256"):
        OrtModel(tmp_path / "bundle")


def test_a_folder_in_use_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").touch()
    with pytest.raises(ModelError, match="not empty"):
        export(small_masa(), tmp_path, FRAME)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
