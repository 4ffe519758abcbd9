"""Class names to embeddings, with a small CLIP of random weights."""

from __future__ import annotations

import json

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

from transformers import CLIPTextConfig, CLIPTextModelWithProjection  # noqa: E402

from masa_core.models.detic.clip_text import embed_names  # noqa: E402
from masa_core.runtime.protocol import ModelError  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("clip")
    letters = "abcdefghijklmnopqrstuvwxyz"
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens += ["ca", "<|startoftext|>", "<|endoftext|>"]
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (folder / "merges.txt").write_text("#version: 0.2\nc a\n")
    (folder / "tokenizer_config.json").write_text(json.dumps({"model_max_length": 16}))
    config = CLIPTextConfig(
        vocab_size=len(tokens),
        hidden_size=32,
        intermediate_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=16,
        projection_dim=24,
        bos_token_id=len(tokens) - 2,
        eos_token_id=len(tokens) - 1,
    )
    torch.manual_seed(0)
    CLIPTextModelWithProjection(config).save_pretrained(folder)
    return folder


def test_a_row_for_each_name_whatever_stands_beside_it(clip):
    rows = embed_names(["cat", "traffic_light", "a very very very long name"], clip)
    assert rows.shape == (3, 24) and rows.dtype == torch.float32 and rows.isfinite().all()
    assert torch.allclose(embed_names(["traffic light"], clip)[0], rows[1])
    assert not torch.allclose(rows[0], rows[1], atol=1e-3)


def test_a_missing_clip_is_named(tmp_path):
    with pytest.raises(ModelError, match="hf download nobody/no-clip"):
        embed_names(["cat"], "nobody/no-clip")
    with pytest.raises(ModelError, match="neither a folder"):
        embed_names(["cat"], tmp_path)
