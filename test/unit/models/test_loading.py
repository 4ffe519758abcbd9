"""Models by name, at full size, with weights from files or none."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("segment_anything")

from masa_core.models import load  # noqa: E402
from masa_core.models.everything import track_everything  # noqa: E402
from masa_core.models.zoo import build, build_masks  # noqa: E402
from masa_core.runtime.protocol import Model, ModelError  # noqa: E402

pytestmark = pytest.mark.torch


def test_random_weights_are_labelled_and_the_same_every_time():
    torch.manual_seed(5)
    a = load("masa_r50", random_weights=True)
    drawn = torch.rand(1)
    b = load("masa_r50", random_weights=True)
    assert a.name == "masa_r50 (random weights)"
    assert isinstance(a, Model) and a.has_detector and not a.has_masks
    assert torch.equal(a.backbone.conv1.weight, b.backbone.conv1.weight)
    torch.manual_seed(5)
    assert torch.equal(drawn, torch.rand(1))  # nobody else's numbers are disturbed


def test_weights_of_a_file_are_loaded_from_the_named_folder(tmp_path):
    torch.manual_seed(3)
    model = build("masa_r50")
    torch.save({"state_dict": model.state_dict()}, tmp_path / "masa_r50.pth")
    loaded = load("masa_r50", weights=tmp_path, dtype="bfloat16")
    assert loaded.name == "masa_r50"
    assert loaded.rpn_head.rpn_conv.weight.dtype == torch.bfloat16
    expected = model.rpn_head.rpn_conv.weight.bfloat16()
    assert torch.equal(loaded.rpn_head.rpn_conv.weight, expected)


@pytest.mark.parametrize("file", ["sam_vit_b_01ec64.pth", "sam_vitb_masa.pth"])
def test_sam_for_masks_comes_from_its_own_file_or_that_of_a_masa_model(tmp_path, file):
    with torch.device("meta"):
        published = build_masks("sam_vitb").sam.state_dict()
    prefixes = {"backbone.": "image_encoder."} if "masa" not in file else {"": "detector."}
    state = {}
    for i, (key, tensor) in enumerate(published.items()):
        for ours, theirs in prefixes.items():
            key = theirs + key[len(ours) :] if key.startswith(ours) else key
        state[key] = torch.full(tensor.shape, i / 1000, dtype=tensor.dtype)
    if "masa" in file:
        state["masa_adapter.0.fpn2.0.bias"] = torch.zeros(768)
    torch.save(state, tmp_path / file)
    model = load("sam_vitb", weights=tmp_path)
    assert isinstance(model, Model) and model.has_masks and not model.has_detector
    for i, tensor in enumerate(model.sam.state_dict().values()):
        assert (tensor == torch.tensor(i / 1000)).all()


def test_everything_needs_sam():
    with pytest.raises(ModelError, match="choose masa_sam_vitb"):
        track_everything(load("masa_r50", random_weights=True))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["masa_r50", "masa_sam_vitb"])
def test_the_published_sizes_run(name):
    frame = np.random.default_rng(0).integers(0, 256, (360, 640, 3), dtype=np.uint8)
    model = load(name, random_weights=True)
    features = model.encode(frame)
    sides = [tuple(level.shape[1:]) for level in features.pyramid]
    height = 1024 if model.has_masks else 576
    assert sides == [(256, -(-height // s), 1024 // s) for s in model.strides]
    found = model.detect(features)
    assert len(found) > 0
    embeddings = model.embed(features, found.boxes)
    assert embeddings.shape == (len(found), 256) and np.isfinite(embeddings).all()
    if model.has_masks:
        assert len(model.masks(features, found.boxes[:3])) == 3
