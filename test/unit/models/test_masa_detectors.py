"""Detectors inside of an assembled model: one backbone pass, prompts, half precision."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from transformers import BertConfig, GroundingDinoConfig  # noqa: E402

from masa_core.models.backbones.swin import Swin  # noqa: E402
from masa_core.models.detic import Detic  # noqa: E402
from masa_core.models.fusion import DeformFusion  # noqa: E402
from masa_core.models.gdino import GroundingDino  # noqa: E402
from masa_core.models.masa import Masa  # noqa: E402
from masa_core.models.precision import set_type  # noqa: E402
from masa_core.models.preprocess import Preprocessing  # noqa: E402
from masa_core.models.pyramid import FPN  # noqa: E402
from masa_core.models.roi_head import BoxHead  # noqa: E402
from masa_core.models.rpn import RPN  # noqa: E402
from masa_core.models.track_head import EmbedHead  # noqa: E402

pytestmark = pytest.mark.torch


def small_gdino():
    config = GroundingDinoConfig(
        text_config=BertConfig(
            hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32
        ),
        d_model=32,
        encoder_layers=1,
        decoder_layers=2,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        num_queries=30,
    )
    return GroundingDino(config, Swin(7, 16, (1, 1, 1, 1), (1, 2, 4, 8)))


def small_detic():
    return Detic(5, Swin(7, 16, (1, 1, 1, 1), (1, 2, 4, 8)), channels=32)


def assemble(detector):
    return Masa(
        "small",
        Preprocessing(160, 128, 32),
        (FPN(detector.backbone.channels, 32), DeformFusion(32)),
        RPN(32),
        BoxHead(32, 64),
        EmbedHead(32, 64, 16),
        (8, 16, 32, 64, 128),
        3,
        detector=detector,
    ).eval()


@pytest.fixture(params=[small_gdino, small_detic])
def model(request):
    torch.manual_seed(0)
    return assemble(request.param())


@pytest.fixture
def frame():
    return np.random.default_rng(0).integers(0, 256, (90, 140, 3), dtype=np.uint8)


def test_detector_and_adapter_share_one_pass_of_the_backbone(model, frame):
    passes = []
    model.detector.backbone.register_forward_hook(lambda *_: passes.append(1))
    features = model.encode(frame)
    found = model.detect(features)
    embeddings = model.embed(features, found.boxes)
    if model.has_masks:
        assert len(model.masks(features, found.boxes)) == len(found)
    assert len(passes) == 1
    assert len(found) > 0 and embeddings.shape == (len(found), 16)
    assert (found.boxes >= 0).all() and (found.boxes <= np.array([140, 90] * 2) + 1e-3).all()
    assert (np.diff(found.scores) <= 0).all() and found.labels.max() < len(model.classes)


def test_prompts(model, frame):
    features = model.encode(frame)
    if isinstance(model.detector, Detic):
        with pytest.raises(ValueError, match="takes no prompt"):
            model.set_prompt("car")
        model.detector.set_vocabulary(["car"], torch.randn(1, 512))
        assert model.classes == ("car",)
    else:
        assert model.set_prompt("car, dog") == model.classes == ("car", "dog")
    assert model.detect(features).labels.max() == len(model.classes) - 1


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_keeps_what_must_be_exact(model, frame, dtype):
    before = {key: value.clone() for key, value in model.state_dict().items()}
    set_type(model, dtype)
    after = model.state_dict()
    assert after.keys() == before.keys()
    assert after["detector.backbone.norm1.weight"].dtype == dtype
    if isinstance(model.detector, GroundingDino):
        assert torch.equal(after["detector.level_embed"], before["detector.level_embed"])
    features = model.encode(frame)
    found = model.detect(features)
    assert len(found) > 0 and found.boxes.dtype == np.float32
    assert np.isfinite(model.embed(features, found.boxes)).all()
    if model.has_masks:
        assert len(model.masks(features, found.boxes[:3])) == 3
