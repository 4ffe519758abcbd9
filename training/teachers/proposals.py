"""The distilled head as a teacher: what a trained model takes for an object, fast."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from masa_core.masks import mask_boxes
from masa_core.runtime import ModelError, load_model
from training.teachers import Found

MAX_OBJECTS = 300  # of an image, as in everything mode


class Proposals:
    """Objects of any kind by a model's own proposal head, and its masks if it gives any."""

    def __init__(self, model: Any, min_score: float) -> None:
        """Raises ModelError where the model proposes no objects."""
        if not getattr(model, "has_proposals", False):
            raise ModelError(f"{model.name} has no head that proposes objects of any kind")
        if hasattr(model, "max_detections"):
            model.max_detections = MAX_OBJECTS
        self._model, self._min_score = model, min_score

    def __call__(self, image_bgr: NDArray[np.uint8]) -> Found:
        features = self._model.encode(image_bgr)
        found = self._model.detect_objects(features)
        found = found[found.scores >= self._min_score][:MAX_OBJECTS]
        if not self._model.has_masks:
            return Found(found.boxes, found.scores, None)
        masks = self._model.masks(features, found.boxes)
        # A mask may be empty; then there is nothing to learn from.
        rows = np.flatnonzero([mask.width > 0 for mask in masks])
        masks = [masks[row] for row in rows]
        return Found(mask_boxes(masks), found.scores[rows], masks)  # the boxes that SA-1B means


def load_proposals(
    name: str, checkpoint: str | None, device: str, min_score: float, random_weights: bool
) -> Proposals:
    """name: a model, or the folder of a bundle. Raises ModelError."""
    model = load_model(name, device, weights=checkpoint, random_weights=random_weights)
    return Proposals(model, min_score)
