"""Sections of bundle.yaml changed in place: the rest stays as it is written, comments too."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from masa_core.io.atomic import write_text
from masa_core.runtime.bundle import read_bundle


def sections(bundle: Path) -> dict[str, Any]:
    """What bundle.yaml says."""
    return dict(yaml.safe_load((bundle / "bundle.yaml").read_text(encoding="utf-8")))


def write_sections(bundle: Path, changed: Mapping[str, Mapping[str, object]]) -> None:
    """Replaces sections, or adds them before `files`. The graphs that they name lie there already.

    Raises ModelError where the outcome is no bundle that can be read.
    """
    path = bundle / "bundle.yaml"
    text = path.read_text(encoding="utf-8")
    for name, content in changed.items():
        section = f"{name}:\n" + "".join(f"  {k}: {_inline(v)}\n" for k, v in content.items())
        found = re.search(rf"(?m)^{name}:\n(?:[ ]+.*\n)+", text)
        start, end = found.span() if found else [text.index("\nfiles:\n") + 1] * 2
        text = text[:start] + section + text[end:]
    write_text(path, text)
    read_bundle(bundle)


def _inline(value: object) -> str:
    text = yaml.safe_dump(value, default_flow_style=True, width=10_000)
    return text.removesuffix("...\n").strip()
