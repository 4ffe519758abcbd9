"""Grounding DINO: boxes of whatever a text names (Liu et al., arXiv 2303.05499)."""

from __future__ import annotations

from masa_core.models.gdino.caption import parse_prompt as parse_prompt
from masa_core.models.gdino.detector import GroundingDino as GroundingDino
