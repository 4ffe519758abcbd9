"""Words for people: names that resemble each other, names of nested settings."""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from typing import Any


def nearest(name: str, known: Sequence[str]) -> str:
    """End of a sentence about an unknown name: the known name it resembles, or all of them."""
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; known: {', '.join(known)}"


def flat(settings: Mapping[str, Any], start: str = "") -> dict[str, Any]:
    """Nested settings by their names in full: {"a": {"b": 1}} is {"a.b": 1}."""
    found: dict[str, Any] = {}
    for name, value in settings.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{start}{name}.")
        else:
            found[start + name] = value
    return found
