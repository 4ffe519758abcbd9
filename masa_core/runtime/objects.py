"""The distilled head as a model's detector: objects of any kind, whatever else it could find."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from masa_core.runtime.protocol import Features, Model, ModelError
from masa_core.structures import Detections, Mask


class ObjectModel:
    """The same model, with another `detect`: the proposals that MASA's training distils.

    Raises ModelError for a model without them.
    """

    classes: tuple[str, ...] = ("object",)
    has_detector = True

    def __init__(self, model: Model) -> None:
        if not getattr(model, "has_proposals", False):
            raise ModelError(f"model {model.name} has no proposals: choose another detector")
        self.name, self.has_masks = model.name, model.has_masks
        self._model: Any = model

    def encode(self, frame_bgr: NDArray[np.uint8]) -> Features:
        features: Features = self._model.encode(frame_bgr)
        return features

    def detect(self, features: Any) -> Detections:
        found: Detections = self._model.detect_objects(features)
        return found

    def embed(self, features: Any, boxes_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        embeddings: NDArray[np.float32] = self._model.embed(features, boxes_xyxy)
        return embeddings

    def masks(self, features: Any, boxes_xyxy: NDArray[np.float32]) -> list[Mask]:
        masks: list[Mask] = self._model.masks(features, boxes_xyxy)
        return masks
