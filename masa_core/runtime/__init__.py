"""Running a model: ONNX bundles and torch models behind one protocol."""

from __future__ import annotations

from masa_core.runtime.load import load_model
from masa_core.runtime.protocol import Detector, Features, Model, ModelError

__all__ = ["Detector", "Features", "Model", "ModelError", "load_model"]
