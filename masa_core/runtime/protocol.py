"""What the pipeline and the node know of a model: four calls and a few facts."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from masa_core.structures import Detections, Mask


class ModelError(RuntimeError):
    """A model cannot be loaded or run as asked. The message is one sentence for people."""


class Features(Protocol):
    """What `encode` makes of one frame. Opaque, but for the size of the frame it came from."""

    @property
    def height(self) -> int:
        """Of the original frame, px."""
        ...

    @property
    def width(self) -> int: ...


@runtime_checkable
class Model(Protocol):
    """A frozen backbone with a MASA adapter, in torch or as a bundle of ONNX graphs."""

    name: str
    has_detector: bool  # `detect` may be called
    has_masks: bool  # `masks` may be called

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels that `detect` gives; empty without a detector."""
        ...

    def encode(self, frame_bgr: NDArray[np.uint8]) -> Features:
        """One pass of the backbone over a (H, W, 3) uint8 BGR frame."""
        ...

    # Features that come back to a model are those of its own `encode`; Any, because each model
    # knows more of its own than the protocol says.

    def detect(self, features: Any) -> Detections:
        """Boxes in pixels of the original frame, score-sorted, after the detector's own NMS."""
        ...

    def embed(self, features: Any, boxes_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, D) float32 embeddings of (N, 4) boxes in pixels of the original frame; N may be 0."""
        ...

    def masks(self, features: Any, boxes_xyxy: NDArray[np.float32]) -> list[Mask]:
        """One mask for each of (N, 4) boxes in pixels of the original frame."""
        ...


class Detector(Protocol):
    """Anything that finds boxes in a frame by itself."""

    @property
    def classes(self) -> tuple[str, ...]:
        """Names of the labels that `detect` gives."""
        ...

    def detect(self, frame_bgr: NDArray[np.uint8]) -> Detections:
        """Boxes in pixels of a (H, W, 3) uint8 BGR frame."""
        ...
