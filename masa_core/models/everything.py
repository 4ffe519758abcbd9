"""Segment and track anything (paper section 3.2.3, Fig. 3b): no classes, no prompts.

One pass of SAM's encoder per frame. The distilled head proposes boxes of whatever looks like an
object; the same boxes prompt SAM's mask decoder and, through the track head, become identities.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from masa_core.models.masa import Masa
from masa_core.runtime.protocol import Model, ModelError
from masa_core.structures import Detections

MAX_OBJECTS = 300  # of a frame, after NMS with IoU 0.5 (paper, supplement on fast everything mode)


def track_everything(model: Model) -> Masa:
    """The same model, set to give up to 300 objects of any kind a frame.

    A `MasaPipeline` with it gives tracks with masks. Raises ModelError for a model without SAM.
    """
    if not isinstance(model, Masa) or not model.has_masks or model.classes != ("object",):
        raise ModelError(
            f"{model.name} cannot segment everything: choose masa_sam_vitb or masa_sam_vith"
        )
    model.max_detections = MAX_OBJECTS
    return model


def segment_everything(model: Model, frame_bgr: NDArray[np.uint8]) -> Detections:
    """Boxes, scores and masks of all objects in one (H, W, 3) uint8 BGR frame, best first."""
    sam = track_everything(model)
    features = sam.encode(frame_bgr)
    found = sam.detect(features)
    return replace(found, masks=sam.masks(features, found.boxes))
