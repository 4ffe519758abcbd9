"""The MASA models in torch: backbones, adapters and heads of the published checkpoints."""

from __future__ import annotations

from masa_core.models.checkpoints import LoadReport, load_official
from masa_core.models.loading import load
from masa_core.models.zoo import MASK_MODELS, MODELS, build

__all__ = ["MASK_MODELS", "MODELS", "LoadReport", "build", "load", "load_official"]
