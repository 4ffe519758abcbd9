"""Detectors of transformers, on small ones with random weights."""

from __future__ import annotations

import json
from importlib.util import find_spec

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from transformers import (  # noqa: E402
    DetrConfig,
    DetrForObjectDetection,
    DetrImageProcessor,
    DFineConfig,
    DFineForObjectDetection,
    HGNetV2Config,
    ResNetConfig,
    RTDetrConfig,
    RTDetrForObjectDetection,
    RTDetrImageProcessor,
    RTDetrResNetConfig,
    YolosConfig,
    YolosForObjectDetection,
    YolosImageProcessor,
)

from masa_core.detectors.from_transformers import TextDetector, TransformersDetector  # noqa: E402
from masa_core.detectors.load import load_detector  # noqa: E402
from masa_core.pipeline import labels_of  # noqa: E402
from masa_core.runtime.protocol import ModelError  # noqa: E402

from .test_gdino import small  # noqa: E402, F401

pytestmark = pytest.mark.torch

NAMES = {0: "car", 1: "dog", 2: "bus"}


def yolos():
    config = YolosConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        image_size=[64, 96],
        num_detection_tokens=12,
        id2label=NAMES,
    )
    return YolosForObjectDetection(config), YolosImageProcessor(
        size={"height": 64, "width": 96}, do_pad=False
    )


SMALL = {  # of RT-DETR and its heirs
    "encoder_hidden_dim": 32,
    "d_model": 32,
    "encoder_ffn_dim": 32,
    "decoder_ffn_dim": 32,
    "encoder_attention_heads": 2,
    "decoder_attention_heads": 2,
    "decoder_layers": 2,
    "decoder_in_channels": [32, 32, 32],
    "num_queries": 20,
    "id2label": NAMES,
}


def rtdetr():
    backbone = RTDetrResNetConfig(
        embedding_size=16,
        hidden_sizes=[16, 16, 24, 32],
        depths=[1, 1, 1, 1],
        layer_type="basic",
        out_features=["stage2", "stage3", "stage4"],
    )
    config = RTDetrConfig(
        backbone_config=backbone,
        encoder_in_channels=[16, 24, 32],
        **SMALL,
    )
    return RTDetrForObjectDetection(config), RTDetrImageProcessor(size={"height": 64, "width": 64})


def dfine():
    backbone = HGNetV2Config(
        stem_channels=[3, 8, 16],
        stage_in_channels=[16, 16, 24, 32],
        stage_mid_channels=[8, 8, 8, 8],
        stage_out_channels=[16, 24, 32, 40],
        stage_num_blocks=[1, 1, 1, 1],
        stage_numb_of_layers=[1, 1, 1, 1],
        hidden_sizes=[16, 24, 32, 40],
        out_features=["stage2", "stage3", "stage4"],
    )
    config = DFineConfig(
        backbone_config=backbone,
        encoder_in_channels=[24, 32, 40],
        **SMALL,
        decoder_n_points=[2, 2, 2],
    )
    return DFineForObjectDetection(config), RTDetrImageProcessor(size={"height": 64, "width": 64})


def detr():
    backbone = ResNetConfig(
        embedding_size=16,
        hidden_sizes=[16, 16, 24, 32],
        depths=[1, 1, 1, 1],
        out_features=["stage4"],
    )
    config = DetrConfig(
        use_timm_backbone=False,
        backbone=None,
        backbone_config=backbone,
        d_model=32,
        encoder_ffn_dim=32,
        decoder_ffn_dim=32,
        encoder_layers=1,
        decoder_layers=1,
        encoder_attention_heads=2,
        decoder_attention_heads=2,
        num_queries=20,
        id2label=NAMES,
    )
    size = {"shortest_edge": 64, "longest_edge": 128}
    return DetrForObjectDetection(config), DetrImageProcessor(size=size)


@pytest.mark.parametrize("make", [yolos, rtdetr, dfine, detr])
def test_any_detector_of_transformers(make, tmp_path):
    torch.manual_seed(0)
    model, processor = make()
    model.save_pretrained(tmp_path)
    processor.save_pretrained(tmp_path)
    detector = TransformersDetector(tmp_path, score_thr=0.0)
    assert detector.classes == ("car", "dog", "bus")

    frame = np.random.default_rng(0).integers(0, 256, (50, 80, 3), dtype=np.uint8)
    found = detector.detect(frame)
    assert len(found) > 0 and labels_of(["dog"], detector.classes) == [1]
    assert (found.boxes >= 0).all() and (found.boxes <= [80, 50, 80, 50]).all()
    assert (np.diff(found.scores) <= 0).all() and found.labels.max() < 3

    inputs = processor(images=frame[..., ::-1].copy(), return_tensors="pt")
    with torch.inference_mode():
        (expected,) = processor.post_process_object_detection(
            model.eval()(**inputs), threshold=0.0, target_sizes=[(50, 80)]
        )
    assert np.allclose(found.scores, np.sort(expected["scores"].numpy())[::-1], atol=1e-5)
    middle = float(np.median(found.scores))
    detector.score_thr = middle
    assert len(detector.detect(frame)) == (found.scores > middle).sum()


def test_text_detector(small):  # noqa: F811
    detector = TextDetector(small[1], "car, dog", score_thr=0.0)
    frame = np.random.default_rng(0).integers(0, 256, (60, 90, 3), dtype=np.uint8)
    found = detector.detect(frame)
    assert len(found) > 0 and set(found.labels) <= {0, 1}
    assert (found.boxes >= 0).all() and (found.boxes <= [90.01, 60.01, 90.01, 60.01]).all()
    assert detector.set_prompt("bus") == detector.classes == ("bus",)
    detector.score_thr = 1.0
    assert len(detector.detect(frame)) == 0


def test_what_is_no_detector_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    for source in (tmp_path, "nobody/no-model"):
        with pytest.raises(ModelError, match="cannot be loaded as a detector"):
            TransformersDetector(source)


def save(folder, pair):
    for part in pair:
        part.save_pretrained(folder)
    return str(folder)


def test_a_detector_is_loaded_by_its_folder(small, tmp_path):  # noqa: F811
    found = load_detector(save(tmp_path, rtdetr()))
    assert isinstance(found, TransformersDetector) and found.classes == ("car", "dog", "bus")
    text = load_detector(str(small[1]), prompt="bus, dog")
    assert isinstance(text, TextDetector) and text.classes == ("bus", "dog")
    with pytest.raises(ModelError, match="takes no prompt"):
        load_detector(str(tmp_path), prompt="car")
    with pytest.raises(ModelError, match="give one, such as 'person, car'"):
        load_detector(str(small[1]))


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("./nowhere", "there is no such folder"),
        ("nobody/no-model", "nor in the Hugging Face cache .*`hf download nobody/no-model`"),
    ],
)
def test_a_detector_that_is_not_there_is_told_with_the_remedy(source, says):
    with pytest.raises(ModelError, match=says):
        load_detector(source)


@pytest.mark.skipif(find_spec("timm") is not None, reason="timm is installed")
def test_a_backbone_of_timm_is_told(tmp_path):
    model, processor = detr()
    save(tmp_path, (model, processor))
    settings = model.config.to_dict()
    settings.pop("backbone_config")
    settings |= {"use_timm_backbone": True, "backbone": "resnet50"}
    (tmp_path / "config.json").write_text(json.dumps(settings))
    with pytest.raises(ModelError, match="requires the timm library"):
        load_detector(str(tmp_path))
