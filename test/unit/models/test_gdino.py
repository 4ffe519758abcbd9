"""Grounding DINO against vectors of the official implementation (seeded weights, recipe.py)."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from torchvision.ops import box_iou  # noqa: E402

from masa_core.models.gdino import GroundingDino, transformer  # noqa: E402
from masa_core.models.gdino.caption import captions  # noqa: E402
from masa_core.models.gdino.layout import Layout  # noqa: E402
from masa_core.models.gdino.pretrained import load_transformers  # noqa: E402
from masa_core.models.preprocess import Geometry, Preprocessing  # noqa: E402
from masa_core.runtime.protocol import ModelError  # noqa: E402

from .golden import arrays, assert_close  # noqa: E402
from .recipe import gdino_weights, official_shapes  # noqa: E402

pytestmark = pytest.mark.torch

PREFIX = "detector."
# Of the official checkpoint, but of no use: BERT's pooler, and queries that only training makes
UNUSED = ("language_model.language_backbone.body.model.pooler.", "dn_query_generator.")


def close(actual, expected, tolerance=2e-4):
    assert_close(torch.as_tensor(actual), torch.as_tensor(expected), tolerance)


def official_keys():
    keys = {k[len(PREFIX) :]: s for k, s in official_shapes("masa_gdino").items() if PREFIX in k}
    return {key: shape for key, shape in keys.items() if not key.startswith(UNUSED)}


@pytest.fixture(scope="module")
def gdino():
    detector = GroundingDino()
    shapes = {
        PREFIX + key: shape
        for key, shape in official_keys().items()
        if not key.endswith("relative_position_index")
    }
    weights = {key[len(PREFIX) :]: value for key, value in gdino_weights(shapes).items()}
    missing, unexpected = detector.load_state_dict(weights, strict=False)
    assert not unexpected
    assert all(key.endswith("relative_position_index") for key in missing)
    return detector.eval()


@pytest.fixture(scope="module")
def taps(gdino):
    """The backbone's maps of the frame of gdino_e2e."""
    v = arrays("detectors/gdino_e2e")
    with torch.inference_mode():
        return gdino.backbone(preprocess(v)[0])


def preprocess(v):
    long_side, short_side = (int(side) for side in v["resize_to"])
    image, geometry = Preprocessing(long_side, short_side)(v["frame_bgr"])
    assert (geometry.resized_height, geometry.resized_width) == tuple(v["img_shape"])
    return image, geometry


def test_keys_are_those_of_the_official_checkpoint(gdino):
    state = gdino.state_dict()
    assert {key: tuple(value.shape) for key, value in state.items()} == official_keys()


@torch.inference_mode()
def test_text(gdino):
    v = arrays("detectors/gdino_e2e")
    assert gdino.set_prompt(str(v["prompt"])) == ("person", "car", "traffic light")
    (caption,) = captions(gdino.classes)
    assert caption.token_ids.tolist() == v["input_ids"].tolist()
    assert caption.position_ids.tolist() == v["text_position_ids"].tolist()
    assert (caption.attention.numpy() == v["text_self_mask"]).all()
    tokens = {c + 1: caption.class_tokens[:, c].nonzero()[:, 0].tolist() for c in range(3)}
    assert str(tokens) == str(v["token_map"])
    close(gdino.transformer.encode_text(caption)[0], v["text_embedded"])


@torch.inference_mode()
def test_backbone_and_encoder(gdino, taps):
    v = arrays("detectors/gdino_e2e")
    for i, tap in enumerate(taps):
        close(tap[0, ::32], v[f"tap{i}_c32"])
    gdino.set_prompt(str(v["prompt"]))
    ((caption, text),) = gdino._encoded_texts(taps[0].device)
    sources = zip(gdino.transformer.input_proj_vision, [*taps, taps[-1]], strict=True)
    maps = [project(tap) for project, tap in sources]
    for i, level in enumerate(maps):
        close(level[0, ::16], v[f"neck{i}_c16"])
    layout = Layout.of(maps, preprocess(v)[1])
    memory, memory_text = gdino.transformer.encode(maps, text, caption, layout)
    close(memory[0, ::8], v["memory_s8"])
    close(memory_text[0], v["memory_text"])
    references = gdino.transformer.propose(memory, memory_text, layout)[0].numpy()
    assert (np.abs(references - v["ref0"]).max(axis=1) > 1e-3).mean() <= 0.02  # swapped near-ties


@pytest.mark.parametrize("name", ["gdino_e2e", "gdino_edge"])
@torch.inference_mode()
def test_whole_detector(gdino, name, monkeypatch):
    """The boxes of gdino_edge lie on the border of the image.

    The order of the 900 queries is that of the vectors: near-ties could swap some of them.
    """
    v = arrays(f"detectors/{name}")
    seen = {}

    def recorded_order(fit, count):
        seen["fit"] = fit[0, v["topk_idx"]]
        return torch.from_numpy(v["topk_idx"])[None]

    monkeypatch.setattr(transformer, "most_fitting", recorded_order)
    hook = gdino.transformer.register_forward_hook(lambda *args: seen.update(out=args[-1]))
    bias = gdino.transformer.encoder_output_bbox_embed.layers[2].bias
    before = bias.clone()
    if name == "gdino_edge":
        bias[2:] += 8
    try:
        gdino.set_prompt(str(v["prompt"]))
        image, geometry = preprocess(v)
        found = gdino.detect(gdino.prepare(gdino.backbone(image)), geometry)
    finally:
        hook.remove()
        bias.copy_(before)
    logits, boxes = seen["out"]
    close(seen["fit"], v["topk_score"])
    close(logits, v["pred_logits"])
    close(boxes, v["pred_boxes"], 5e-6)
    close(found.boxes, v["det_boxes"])
    close(found.scores, v["det_scores"])
    assert found.labels.tolist() == v["det_labels"].tolist()


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """A small model of transformers with random weights, and a folder that holds it."""
    from transformers import (
        BertConfig,
        GroundingDinoConfig,
        GroundingDinoForObjectDetection,
        SwinConfig,
    )

    config = GroundingDinoConfig(
        backbone_config=SwinConfig(
            embed_dim=32,
            depths=[2, 2, 2, 2],
            num_heads=[1, 2, 4, 8],
            window_size=7,
            out_features=["stage2", "stage3", "stage4"],
        ),
        text_config=BertConfig(
            hidden_size=48, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64
        ),
        d_model=64,
        encoder_layers=2,
        decoder_layers=2,
        encoder_ffn_dim=64,
        decoder_ffn_dim=64,
        encoder_attention_heads=4,
        decoder_attention_heads=4,
        num_queries=40,
    )
    torch.manual_seed(0)
    model = GroundingDinoForObjectDetection(config).eval()
    for name, parameter in model.named_parameters():
        if parameter.ndim < 2 or "bbox_embed" in name or "_param" in name:
            torch.nn.init.normal_(parameter, std=0.1)  # or they would be zero, one or the same
    folder = tmp_path_factory.mktemp("grounding-dino-small")
    model.save_pretrained(folder)
    return model, folder


@pytest.fixture(scope="module")
def loaded(small):
    return load_transformers(small[1])


@torch.inference_mode()
def test_weights_of_transformers_give_the_boxes_of_transformers(small, loaded):
    """On an image with padding at two sides."""
    model, _ = small
    geometry = Geometry(150, 200, 150, 200, 160, 224)
    image = torch.zeros(1, 3, 160, 224)
    image[..., :150, :200] = torch.randn(3, 150, 200, generator=torch.Generator().manual_seed(1))
    pixel_mask = torch.zeros(1, 160, 224, dtype=torch.long)
    pixel_mask[:, :150, :200] = 1
    (caption,) = captions(["traffic light", "car"])
    expected = model(image, caption.token_ids[None], pixel_mask=pixel_mask)

    taps = loaded.backbone(image)
    text = loaded.transformer.encode_text(caption)
    logits, boxes = loaded.transformer(taps, text, caption, geometry)
    close(logits, expected.logits[0, :, : len(caption.token_ids)])
    close(boxes, expected.pred_boxes[0])


@torch.inference_mode()
def test_prompt_changes_between_frames(loaded):
    geometry = Geometry(150, 200, 150, 200, 160, 224)
    taps = loaded.backbone(torch.randn(1, 3, 160, 224))

    def detect(prompt):
        assert loaded.set_prompt(prompt) == loaded.classes
        return loaded.detect(taps, geometry)

    cars, people, again = detect("car"), detect("person . dog"), detect("car")
    assert set(cars.labels) == {0} and set(people.labels) == {0, 1}
    assert (cars.scores == again.scores).all() and (cars.boxes == again.boxes).all()
    assert not np.allclose(np.sort(cars.scores)[-20:], np.sort(people.scores)[-20:])
    with pytest.raises(ValueError, match="no class name"):
        loaded.set_prompt(" . ")
    assert loaded.classes == ("car",)


@torch.inference_mode()
def test_new_weights_and_types_are_not_run_with_old_text(small, loaded):
    geometry = Geometry(150, 200, 150, 200, 160, 224)
    taps = loaded.backbone(torch.randn(1, 3, 160, 224))
    other = load_transformers(small[1])
    before = other.detect(taps, geometry)
    state = {k: v * 1.1 if "text_feat_map" in k else v for k, v in other.state_dict().items()}
    other.load_state_dict(state)
    after = other.detect(taps, geometry)
    assert not np.array_equal(before.scores, after.scores)
    other.double().float()
    assert np.allclose(other.detect(taps, geometry).scores, after.scores, atol=1e-6)


@torch.inference_mode()
def test_a_long_prompt_takes_several_passes(loaded):
    geometry = Geometry(150, 200, 150, 200, 160, 224)
    taps = loaded.backbone(torch.randn(1, 3, 160, 224))
    names = [f"number {i}" for i in range(150)]
    assert len(captions(names)) > 1
    loaded.set_prompt(names)
    found = loaded.detect(taps, geometry)
    assert (np.diff(found.scores) <= 0).all()
    loaded.set_prompt(names[140:])
    alone = loaded.detect(taps, geometry)
    assert found.labels.max() < 150 and (found.labels >= 140).any()
    assert len(alone) == 300


@torch.inference_mode()
def test_suppression_of_overlapping_boxes_is_an_option(loaded, monkeypatch):
    geometry = Geometry(150, 200, 150, 200, 160, 224)
    taps = loaded.backbone(torch.randn(1, 3, 160, 224))
    loaded.set_prompt("car, person")
    everything = loaded.detect(taps, geometry)
    monkeypatch.setattr(loaded, "nms_iou", 0.5)
    kept = loaded.detect(taps, geometry)
    assert 0 < len(kept) < len(everything) and kept.scores[0] == everything.scores[0]
    overlap = box_iou(torch.from_numpy(kept.boxes), torch.from_numpy(kept.boxes))
    assert overlap.fill_diagonal_(0).max() <= 0.5


@torch.inference_mode()
def test_an_image_may_have_fewer_cells_than_queries(loaded):
    loaded.set_prompt("car")
    found = loaded.detect(
        loaded.backbone(torch.randn(1, 3, 32, 32)), Geometry(5, 9, 18, 32, 32, 32)
    )
    assert len(found) == 16 + 4 + 1 + 1
    assert found.boxes.min() >= 0 and (found.boxes.max(axis=0) <= [9, 5, 9, 5]).all()


def test_missing_or_foreign_weights_are_refused(small, tmp_path):
    from safetensors.torch import save_file

    with pytest.raises(ModelError, match="hf download nobody/no-model"):
        load_transformers("nobody/no-model")
    (tmp_path / "config.json").write_bytes((small[1] / "config.json").read_bytes())
    save_file({"weight": torch.zeros(1)}, tmp_path / "model.safetensors")
    with pytest.raises(ModelError, match="does not hold a Grounding DINO"):
        load_transformers(tmp_path)
