"""A graph on top of a bundle's image graph: from its tensors and some boxes to rows of figures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from masa_core.runtime.crops import cut_crops
from masa_core.runtime.protocol import ModelError
from masa_core.runtime.session import open_session

Floats = NDArray[np.float32]

# At a time: ONNX Runtime keeps the memory of the most there ever were. 1000 boxes at once took the
# included bundle 3.7 GB, in parts 0.3 GB and a third of the time (2-core x86 VM).
_BOXES = 32


@dataclass(frozen=True, eq=False)
class BundleFeatures:
    """What the image graph made of one frame."""

    frame_bgr: NDArray[np.uint8]  # (height, width, 3), as it was given
    tensors: dict[str, Floats]  # input and outputs of the image graph, by name
    scale: Floats  # (4,) network px per frame px: x y x y
    size: tuple[int, int]  # height and width of the frame in the network's input, px

    @property
    def height(self) -> int:
        return int(self.frame_bgr.shape[0])

    @property
    def width(self) -> int:
        return int(self.frame_bgr.shape[1])

    def inside(self, boxes_xyxy: Floats) -> Floats:
        """(N, 4) boxes in pixels of the frame, cut at the frame."""
        boxes = np.asarray(boxes_xyxy, np.float32).reshape(-1, 4)
        return boxes.clip(0, np.array([self.width, self.height] * 2, np.float32))


class Head:
    """What one graph answers for boxes, or for the frame.

    The graph's inputs are found by name: `boxes` (N, 4) float32, px of the network input; `crops`
    (N, 3, *crop) float32, the boxes cut out of the frame; `size` (2,) float32, height and width of
    the frame in the network input; any other is a tensor of the image graph.

    Raises ModelError where the graph lacks an output, or wants crops of which no size is known.
    """

    def __init__(
        self,
        path: Path,
        outputs: tuple[str, ...],
        device: str,
        threads: int | None,
        crop: tuple[int, ...] = (),
    ) -> None:
        self._session = open_session(path, device, threads)
        self._outputs, self._crop = outputs, crop
        self._inputs = [node.name for node in self._session.get_inputs()]
        self._shapes = {node.name: node.shape for node in self._session.get_outputs()}
        if missing := [name for name in outputs if name not in self._shapes]:
            raise ModelError(f"{path} has no output {missing[0]!r}, only {sorted(self._shapes)}")
        if ("crops" in self._inputs) != bool(crop):
            raise ModelError(
                f"{path}: an input 'crops' and 'crop: [height, width]' in bundle.yaml go together"
            )
        self.taps = [name for name in self._inputs if name not in ("boxes", "crops", "size")]

    @property
    def takes_boxes(self) -> bool:
        return "boxes" in self._inputs or "crops" in self._inputs

    def shape(self, output: str) -> list[Any]:
        """Of an output: numbers, and names where it varies."""
        return list(self._shapes[output])

    def __call__(self, features: BundleFeatures, boxes: Floats | None = None) -> list[Floats]:
        """The outputs, for (N, 4) boxes in pixels of the frame where the graph takes them.

        Boxes are cut at the frame: RoIAlign takes samples all over a box, and one far larger than
        the frame would exhaust memory.
        """
        if boxes is None:
            return self._run(features, {})
        boxes = features.inside(boxes)
        starts = range(0, max(len(boxes), 1), _BOXES)
        parts = [self._run_boxes(features, boxes[at : at + _BOXES]) for at in starts]
        return [np.concatenate(rows) for rows in zip(*parts, strict=True)]

    def _run_boxes(self, features: BundleFeatures, boxes: Floats) -> list[Floats]:
        feeds: dict[str, Floats] = {}
        if "boxes" in self._inputs:
            feeds["boxes"] = boxes * features.scale
        if "crops" in self._inputs:
            feeds["crops"] = cut_crops(features.frame_bgr, boxes, *self._crop)
        return self._run(features, feeds)

    def _run(self, features: BundleFeatures, feeds: dict[str, Floats]) -> list[Floats]:
        feeds |= {name: features.tensors[name] for name in self.taps}
        if "size" in self._inputs:
            feeds["size"] = np.array(features.size, np.float32)
        outputs: list[Floats] = self._session.run(self._outputs, feeds)
        return outputs
