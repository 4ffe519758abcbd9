"""SAM inside a MASA model: the same numbers as the segment-anything package's own classes."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("segment_anything")

from segment_anything.modeling import ImageEncoderViT  # noqa: E402
from segment_anything.modeling import Sam as PackageSam  # noqa: E402
from torch import nn  # noqa: E402

from masa_core.masks import paste_mask  # noqa: E402
from masa_core.models.backbones import lean_attention  # noqa: E402
from masa_core.models.preprocess import Preprocessing  # noqa: E402

from .golden import assert_close  # noqa: E402
from .small import SIZE, small_sam  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def sam():
    return small_sam()


@torch.inference_mode()
def test_one_pass_gives_the_taps_and_the_image_embedding(sam, monkeypatch):
    monkeypatch.setattr(lean_attention, "_QUERIES", 24)  # three rows of eight tokens at a time
    package = ImageEncoderViT(
        img_size=SIZE,
        embed_dim=24,
        depth=4,
        num_heads=2,
        out_chans=32,
        norm_layer=partial(nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=14,
        global_attn_indexes=(0, 1, 2, 3),
    )
    package.load_state_dict(sam.backbone.state_dict())
    outputs = []
    for block in package.blocks:
        block.register_forward_hook(lambda _module, _input, output: outputs.append(output))
    images = torch.randn(1, 3, SIZE, SIZE)
    embedding = package(images)

    taps = sam.backbone(images)
    for tap, output in zip(taps, outputs, strict=True):
        assert_close(tap, output.permute(0, 3, 1, 2))
    assert_close(sam.prepare(taps), embedding)


@torch.inference_mode()
def test_masks_are_those_of_the_package_inside_the_box(sam):
    geometry = Preprocessing(SIZE, SIZE, SIZE).geometry(70, 97)
    boxes = torch.tensor([[10.0, 5.0, 60.0, 50.0], [0.0, 0.0, 97.0, 70.0], [90.0, 60.0, 97.0, 70]])
    embedding = torch.randn(1, 32, SIZE // 16, SIZE // 16)
    logits = sam.logits(embedding, geometry.to_resized(boxes))
    package = PackageSam(sam.backbone, sam.prompt_encoder, sam.mask_decoder)
    sam.backbone.img_size = SIZE
    whole = package.postprocess_masks(
        logits[:, None], (geometry.resized_height, geometry.resized_width), (70, 97)
    )[:, 0]

    masks = sam.masks(embedding, boxes, geometry)
    assert len(masks) == len(boxes)
    for mask, box, expected in zip(masks, boxes.int().tolist(), whole, strict=True):
        ours = paste_mask(mask, 70, 97)
        x1, y1, x2, y2 = box
        clear = (expected.abs() > 1e-4).numpy()  # elsewhere rounding may decide
        assert ((expected > 0).numpy() == ours)[y1:y2, x1:x2][clear[y1:y2, x1:x2]].all()
        assert ours[y1:y2, x1:x2].any() and not ours[y1:y2, x1:x2].all()
        reach = 0.1 * np.array([x2 - x1, y2 - y1]) + 1
        assert mask.x >= x1 - reach[0] and mask.y + mask.height <= y2 + reach[1]


@torch.inference_mode()
def test_many_boxes_are_decoded_in_batches(sam):
    embedding = torch.randn(1, 32, SIZE // 16, SIZE // 16)
    boxes = torch.rand(70, 4) * 30
    boxes[:, 2:] += boxes[:, :2] + 10
    logits = sam.logits(embedding, boxes)
    assert_close(logits[65:], sam.logits(embedding, boxes[65:]))
