"""What a prompt becomes before Grounding DINO reads it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

torch = pytest.importorskip("torch")
pytest.importorskip("tokenizers")

from masa_core.models.gdino.caption import MAX_TOKENS, captions, parse_prompt  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.mark.parametrize(
    "prompt",
    [
        "person . traffic light . car",
        "person . traffic light . car .",
        "person. traffic light. car. ",
        "person, traffic_light,car",
        " . person .. traffic  light (for cars) . car . person",
        ["person", "traffic_light", "car (any)"],
    ],
)
def test_the_ways_to_write_a_prompt(prompt):
    assert parse_prompt(prompt) == ("person", "traffic light", "car")


@pytest.mark.parametrize("prompt", ["", " . ", "(nothing)", [], [" "]])
def test_a_prompt_without_names_is_refused(prompt):
    with pytest.raises(ValueError, match="no class name"):
        parse_prompt(prompt)


def test_a_name_without_letters_is_refused():
    with pytest.raises(ValueError, match="has 0 tokens"):
        captions(["car", "\u200b"])


@given(st.lists(st.text(st.characters(codec="ascii"), min_size=1, max_size=40), max_size=90))
def test_every_class_has_its_tokens(words):
    names = [name for name in words if name.strip() and name.isprintable()]
    if not names:
        return
    made = captions(names)
    assert sum(caption.class_tokens.shape[1] for caption in made) == len(names)
    for caption in made:
        length = len(caption.token_ids)
        assert length <= MAX_TOKENS
        assert torch.allclose(caption.class_tokens.sum(0), torch.ones(1))
        assert caption.class_tokens.count_nonzero(dim=1).max() == 1
        assert caption.attention.diagonal().all()
        assert torch.equal(caption.attention, caption.attention.T)
        # A block is a run of tokens, each of which sees all of the run and knows its place in it
        first = caption.attention.int().argmax(dim=1)
        assert torch.equal(caption.position_ids, torch.arange(length) - first)
