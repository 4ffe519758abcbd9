"""From class names to what Grounding DINO reads: one caption, and which tokens name which class."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from functools import cache

import torch
from torch import Tensor

from masa_core.assets import asset_path

MAX_TOKENS = 256
_CLS, _SEP, _FULL_STOP = 101, 102, 1012
_SPECIAL = (_CLS, _SEP, _FULL_STOP, 1029)  # 1029: "?"


def parse_prompt(prompt: str | Sequence[str]) -> tuple[str, ...]:
    """Class names of a text such as "person . traffic light" or "person, traffic light".

    A sequence is taken as the names. Names lose remarks in parentheses; underscores become
    spaces. Raises ValueError when no name is left.
    """
    parts = re.split(r"[.,]", prompt) if isinstance(prompt, str) else prompt
    names = (re.sub(r"\(.*?\)", "", part).replace("_", " ") for part in parts)
    found = tuple(dict.fromkeys(name for part in names if (name := " ".join(part.split()))))
    if not found:
        raise ValueError(f"no class name in the prompt {prompt!r}; write for example 'person, car'")
    return found


@dataclass(frozen=True)
class Caption:
    """Class names as one text of L tokens: "[CLS] name . other name . [SEP]".

    token_ids, position_ids: (L,) int64. attention: (L, L) bool, True where tokens see each other:
    those of one name do. class_tokens: (L, C) float32; column c averages the tokens of class c.
    """

    token_ids: Tensor
    position_ids: Tensor
    attention: Tensor
    class_tokens: Tensor

    def to(self, device: torch.device) -> Caption:
        return Caption(*(getattr(self, field.name).to(device) for field in fields(self)))


def captions(names: Sequence[str]) -> list[Caption]:
    """As few captions as hold all names, in order. Raises ValueError for an unusable name."""
    groups: list[list[list[int]]] = [[]]
    room = MAX_TOKENS - 2
    for name in names:
        tokens = _tokens(name)
        if not tokens or len(tokens) > MAX_TOKENS - 3:
            raise ValueError(f"the class name {name!r} has {len(tokens)} tokens, allowed: 1 to 253")
        if len(tokens) + 1 > room:
            groups.append([])
            room = MAX_TOKENS - 2
        groups[-1].append(tokens)
        room -= len(tokens) + 1
    return [_caption(group) for group in groups]


def _caption(names: Sequence[Sequence[int]]) -> Caption:
    ids = [_CLS]
    spans = []
    for tokens in names:
        spans.append((len(ids), len(ids) + len(tokens)))
        ids += [*tokens, _FULL_STOP]
    ids.append(_SEP)
    class_tokens = torch.zeros(len(ids), len(spans))
    for j, (start, stop) in enumerate(spans):
        class_tokens[start:stop, j] = 1 / (stop - start)
    attention, positions = _blocks(ids)
    return Caption(torch.tensor(ids), positions, attention, class_tokens)


def _blocks(ids: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Which tokens see each other (L, L), and each one's place in its block (L,).

    A block ends with a special token; the first and the last token stand alone.
    """
    attention = torch.eye(len(ids), dtype=torch.bool)
    positions = torch.zeros(len(ids), dtype=torch.long)
    start = 1
    for i in range(1, len(ids) - 1):
        if ids[i] in _SPECIAL:
            attention[start : i + 1, start : i + 1] = True
            positions[start : i + 1] = torch.arange(i + 1 - start)
            start = i + 1
    return attention, positions


def _tokens(name: str) -> list[int]:
    ids: list[int] = _tokenizer().encode(name, add_special_tokens=False).ids
    return ids


@cache
def _tokenizer():  # type: ignore[no-untyped-def]  # tokenizers has no types
    from tokenizers import BertWordPieceTokenizer

    vocabulary = asset_path("bert_uncased") / "vocab.txt"
    return BertWordPieceTokenizer(str(vocabulary), lowercase=True)
