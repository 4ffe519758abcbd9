"""Grounding DINO against vectors of the official implementation (seeded weights, recipe.py)."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from masa_core.models.gdino import GroundingDino, transformer  # noqa: E402
from masa_core.models.gdino.caption import captions  # noqa: E402
from masa_core.models.gdino.layout import Layout  # noqa: E402
from masa_core.models.preprocess import Preprocessing  # noqa: E402

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
