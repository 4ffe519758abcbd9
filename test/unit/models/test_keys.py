"""Every key, shape and type of the published state dicts."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("segment_anything")
pytest.importorskip("transformers")

from masa_core.models import MODELS, build, load_official  # noqa: E402

from .golden import FOLDER  # noqa: E402

pytestmark = pytest.mark.torch

# What the files hold and no inference reads.
NOT_NEEDED = {
    "masa_gdino": {
        "detector.dn_query_generator.label_embedding.weight",
        "detector.language_model.language_backbone.body.model.pooler.dense.bias",
        "detector.language_model.language_backbone.body.model.pooler.dense.weight",
    }
}


def published(name, device):
    """A state dict with the published keys, shapes and types; every tensor has its own value."""
    state = {}
    for i, line in enumerate((FOLDER / "keys" / f"{name}.tsv").read_text().splitlines()):
        key, shape, dtype = line.split("\t")
        size = [] if shape == "scalar" else [int(side) for side in shape.split("x")]
        state[key] = torch.full(size, i, dtype=getattr(torch, dtype), device=device)
    return state


@pytest.mark.parametrize("name", MODELS)
def test_keys_are_those_of_the_published_checkpoint(name):
    with torch.device("meta"):  # no memory, no time
        model = build(name)
    state = published(name, "meta")
    report = load_official(model, state)
    assert set(report.ignored) == NOT_NEEDED.get(name, set())
    kinds = {key: (tensor.shape, tensor.dtype) for key, tensor in state.items()}
    ours = {key: (tensor.shape, tensor.dtype) for key, tensor in model.state_dict().items()}
    assert ours == {key: kinds[key] for key in kinds.keys() - NOT_NEEDED.get(name, set())}


@pytest.mark.parametrize("name", ["masa_r50", "masa_sam_vitb", "masa_gdino", "masa_detic"])
def test_every_published_tensor_arrives(name):
    """masa_sam_vith differs from vitb in sizes alone, and would take 5 GB here."""
    model = build(name)
    state = published(name, "cpu")
    load_official(model, state)
    for key, tensor in model.state_dict().items():
        assert torch.equal(tensor, state[key]), key
