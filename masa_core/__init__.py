"""MASA tracking: frames and detections go in, identities and masks come out. No ROS needed.

Importing this package is cheap: torch and ONNX Runtime are loaded with the part that needs them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from masa_core.structures import Detections, Frame, Mask, Tracks, TrackState

if TYPE_CHECKING:
    from masa_core.pipeline import MasaPipeline
    from masa_core.runtime import load_model

__all__ = [
    "Detections",
    "Frame",
    "MasaPipeline",
    "Mask",
    "TrackState",
    "Tracks",
    "load_model",
]

_LAZY = {"MasaPipeline": "masa_core.pipeline", "load_model": "masa_core.runtime"}
_PARTS = {"detectors", "evaluation", "io", "masks", "models", "pipeline", "runtime", "tracking"}


def __getattr__(name: str) -> Any:
    if name in _LAZY:
        return getattr(import_module(_LAZY[name]), name)
    if name in _PARTS:
        return import_module(f"masa_core.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__, *_PARTS})
