"""MobileSAM: the same numbers as its authors' code, and the keys of its published file."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("segment_anything")

from masa_core.models import load  # noqa: E402
from masa_core.models.zoo import build_masks  # noqa: E402
from masa_core.runtime.protocol import Model, ModelError  # noqa: E402

from .golden import assert_close, tensors  # noqa: E402
from .recipe import mobile_sam_weights, official_shapes  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def published():
    """A state dict as that of mobile_sam.pt, with weights of a recipe."""
    shapes = official_shapes("mobile_sam")
    counters = {key for key in shapes if key.endswith("num_batches_tracked")}
    weights = mobile_sam_weights({key: shapes[key] for key in shapes.keys() - counters})
    return {**weights, **{key: torch.tensor(7) for key in counters}}


@torch.inference_mode()
def test_it_gives_the_numbers_of_its_authors_code(published):
    vectors = tensors("mobile_sam")
    model = build_masks("mobile_sam")
    model.load(published)
    noise = np.random.RandomState(0).standard_normal((1, 3, 1024, 1024)).astype(np.float32)
    embedding = model.sam.prepare(model.sam.backbone(torch.from_numpy(noise)))
    assert embedding.shape == (1, 256, 64, 64)
    assert_close(embedding[:, :, ::8, ::8], vectors["embedding"])
    logits = model.sam.logits(embedding, vectors["boxes"])
    assert_close(logits[:, ::8, ::8], vectors["logits"])


def test_the_published_file_is_loaded_whole_but_for_its_classifier(published, tmp_path):
    torch.save(published, tmp_path / "mobile_sam.pt")
    model = load("mobile_sam", weights=tmp_path)
    assert isinstance(model, Model) and model.has_masks and not model.has_detector
    ours = {
        key.replace("backbone.", "image_encoder.", 1): tensor
        for key, tensor in model.sam.state_dict().items()
    }
    assert published.keys() - ours.keys() == {
        f"image_encoder.{name}.{kind}"
        for name in ("norm_head", "head")
        for kind in ("weight", "bias")
    }
    for key, tensor in ours.items():
        assert torch.equal(tensor, published[key]), key
    lost = "image_encoder.layers.3.blocks.1.attn.attention_biases"
    torch.save(
        {key: published[key] for key in published.keys() - {lost}}, tmp_path / "mobile_sam.pt"
    )
    with pytest.raises(ModelError, match=r"1\.attn\.attention_biases"):
        load("mobile_sam", weights=tmp_path)


def test_missing_weights_are_told_with_their_address(tmp_path):
    with pytest.raises(ModelError, match=r"MobileSAM/master/weights/mobile_sam.pt.*masa download"):
        load("mobile_sam", weights=tmp_path)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_masks_of_boxes_in_and_beyond_an_odd_frame(dtype):
    model = load("mobile_sam", dtype=dtype, random_weights=True)
    frame = np.random.default_rng(0).integers(0, 256, (71, 133, 3), dtype=np.uint8)
    features = model.encode(frame)
    boxes = np.array([[10, 10, 60, 50], [-40, 30, 20, 90], [120, -9, 200, 40]], np.float32)
    masks = model.masks(features, boxes)
    assert len(masks) == 3 and model.masks(features, boxes[:0]) == []
    for mask in masks:
        assert mask.x >= 0 and mask.y >= 0
        assert mask.x + mask.width <= 133 and mask.y + mask.height <= 71
