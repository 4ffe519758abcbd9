"""The modules against vectors of the official implementation."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from torchvision.ops import batched_nms, nms  # noqa: E402

from masa_core.models.deform_conv import deform_conv  # noqa: E402
from masa_core.models.fusion import DeformFusion, DyHeadFusion  # noqa: E402
from masa_core.models.pyramid import FPN, SimpleFPN  # noqa: E402
from masa_core.models.roi_align import as_rois, map_levels, pool  # noqa: E402
from masa_core.models.roi_head import BoxHead, RoiHead  # noqa: E402
from masa_core.models.rpn import RPN, propose  # noqa: E402
from masa_core.models.track_head import EmbedHead, TrackHead  # noqa: E402

from .golden import assert_close, load, tensors  # noqa: E402

pytestmark = pytest.mark.torch

STRIDES = (4, 8, 16, 32, 64)


@pytest.mark.parametrize("case", ["same", "stride2", "stride2_odd", "oversized", "oversized_odd"])
def test_deform_conv(case):
    v = tensors("op_dcnv2")
    out = deform_conv(
        v[f"{case}.x"],
        v[f"{case}.offset"],
        v[f"{case}.mask"],
        v[f"{case}.weight"],
        int(v[f"{case}.stride"]),
    )
    assert_close(out, v[f"{case}.out"])


@pytest.mark.parametrize("stride", [4, 8])
def test_roi_align(stride):
    v = tensors("op_roialign_nms")
    assert_close(pool([v["feat"]], v["rois"], [stride]), v[f"out_stride{stride}"])


def test_nms():
    v = tensors("op_roialign_nms")
    boxes, scores, labels = v["nms_boxes"], v["nms_scores"], v["nms_labels"]
    assert torch.equal(nms(boxes, scores, 0.5), v["nms_keep_05"])
    assert torch.equal(batched_nms(boxes, scores, labels, 0.5), v["bnms_percls_keep"])


@pytest.mark.parametrize(
    ("name", "pyramid", "fusion"),
    [
        ("r50_adapter_small", FPN([8, 16, 24, 40], 32), DeformFusion(32)),
        ("sam_adapter_small", SimpleFPN(24, 32), DyHeadFusion(32)),
    ],
)
@torch.inference_mode()
def test_adapter(name, pyramid, fusion):
    v = tensors(name)
    load(pyramid, v, "sd.0.")
    load(fusion, v, "sd.1.")
    levels = pyramid([v[f"in{i}"] for i in range(4)])
    for i, level in enumerate(levels):
        assert_close(_kept_channels(level, i), v[f"fpn{i}"])
    for i, level in enumerate(fusion.dyhead_blocks[0](levels)):
        assert_close(_kept_channels(level, i), v[f"block0_{i}"])
    for i, level in enumerate(fusion(levels)):
        assert_close(_kept_channels(level, i), v[f"block2_{i}"])


def _kept_channels(level, i):
    return level[:, ::4] if i == 0 else level


@torch.inference_mode()
def test_track_head():
    v = tensors("track_head_small")
    head = TrackHead(EmbedHead(32, 96, 24), STRIDES[:4])
    load(head, v, "sd.")
    levels = [v[f"feat{i}"] for i in range(5)]
    rois = as_rois(v["boxes"])
    assert torch.equal(map_levels(v["boxes"], 4, 56), v["levels"])
    assert_close(pool(levels, rois[:20], head.strides), v["roi_feats"])
    assert_close(head(levels, rois), v["embeds"])


@torch.inference_mode()
def test_detection_head():
    v = tensors("det_head_2fc")
    rpn, roi_head = RPN(32), RoiHead(BoxHead(32, 96), STRIDES[:4])
    load(rpn, v, "sd.rpn_head.")
    load(roi_head, v, "sd.roi_head.")
    levels = [v[f"feat{i}"] for i in range(5)]
    logits, deltas = rpn(levels)
    for i in range(5):
        assert_close(logits[i], v[f"rpn_cls{i}"])
        assert_close(deltas[i], v[f"rpn_reg{i}"])

    size = tuple(v["img_shape"].tolist())
    proposals, scores = propose([x[0] for x in logits], [x[0] for x in deltas], STRIDES, size)
    assert_close(scores, v["rpn_scores"])
    assert_close(proposals, v["rpn_boxes"])

    for keep, name in ((50, "det"), (300, "paper300")):
        boxes, scores = roi_head.predict(levels, proposals, size, keep)
        assert_close(scores, v[f"{name}_scores"])
        assert_close(boxes / 0.5, v[f"{name}_boxes"])
