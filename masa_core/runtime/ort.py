"""A bundle run by ONNX Runtime, on the CPU or on CUDA."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from masa_core.detectors import decode
from masa_core.masks.placing import place_masks
from masa_core.runtime.bundle import read_bundle
from masa_core.runtime.fit import prepare
from masa_core.runtime.head import BundleFeatures, Head
from masa_core.runtime.protocol import ModelError
from masa_core.runtime.session import open_session
from masa_core.structures import Detections, Mask
from masa_core.wording import nearest


class OrtModel:
    """masa_core.runtime.Model for the bundle in a folder.

    threads: of the CPU; None for one for each core that this process may use, four at most.
    Raises ModelError when the bundle is damaged or the device is not to be had.
    """

    def __init__(self, folder: Path, device: str = "cpu", threads: int | None = None) -> None:
        self.bundle = read_bundle(folder)
        self.name = self.bundle.name
        self.has_detector = self.bundle.detector is not None
        self.classes = self.bundle.detector.classes if self.bundle.detector else ()
        self._image = open_session(folder / self.bundle.image.graph, device, threads)
        embedding, masks = self.bundle.embedding, self.bundle.masks
        self._embed = Head(
            folder / embedding.graph, ("embeddings",), device, threads, embedding.crop
        )
        self._dimensions = self._embedding_dimensions()
        self._masks = Head(folder / masks.graph, ("masks",), device, threads) if masks else None
        self.has_masks = self._masks is not None
        self._proposals = self._proposal_head(device, threads)
        self.has_proposals = self._proposals is not None
        self._wanted = self._tensors_to_fetch()
        self._takes_size = any(node.name == "size" for node in self._image.get_inputs())

    def encode(self, frame_bgr: NDArray[np.uint8]) -> BundleFeatures:
        height, width = frame_bgr.shape[:2]
        spec = self.bundle.image
        image, size = prepare(frame_bgr, spec)
        feeds = {spec.input: image}
        if self._takes_size:
            feeds["size"] = np.array(size, np.float32)
        # Asked for nothing, ONNX Runtime gives all. A head may need the crops alone.
        outputs = self._image.run(self._wanted, feeds) if self._wanted else []
        tensors = {spec.input: image, **dict(zip(self._wanted, outputs, strict=True))}
        scale = np.array([size[1] / width, size[0] / height] * 2, np.float32)
        return BundleFeatures(frame_bgr, tensors, scale, size)

    def detect(self, features: BundleFeatures) -> Detections:
        if self.bundle.detector is None:
            raise ModelError(f"bundle {self.name} has no detector: hand in detections")
        height, width = features.tensors[self.bundle.image.input].shape[2:]
        try:
            found = decode(features.tensors, self.bundle.detector, height, width)
        except ValueError as error:
            raise ModelError(f"{self.bundle.folder}: {error}") from error
        found.boxes /= features.scale
        return found

    def detect_objects(self, features: BundleFeatures) -> Detections:
        """The distilled proposals: objects of any kind, label 0, score-sorted.

        Raises ModelError where the bundle has none.
        """
        if self._proposals is None:
            raise ModelError(f"bundle {self.name} has no section 'proposals'")
        boxes, scores = self._proposals(features)
        order = np.argsort(-scores, kind="stable")
        return Detections(
            features.inside(boxes[order] / features.scale),
            scores[order],
            np.zeros(len(order), np.int64),
        )

    def embed(
        self, features: BundleFeatures, boxes_xyxy: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        if len(boxes_xyxy) == 0:
            return np.zeros((0, self._dimensions), np.float32)
        (embeddings,) = self._embed(features, boxes_xyxy)
        return embeddings

    def masks(self, features: BundleFeatures, boxes_xyxy: NDArray[np.float32]) -> list[Mask]:
        if self._masks is None:
            raise ModelError(f"bundle {self.name} gives no masks")
        if len(boxes_xyxy) == 0:
            return []
        (probabilities,) = self._masks(features, boxes_xyxy)
        boxes = features.inside(boxes_xyxy)
        # What lies beside the frame has no extent in it, and no pixel.
        probabilities[(boxes[:, 2:] <= boxes[:, :2]).any(axis=1)] = 0
        return place_masks(probabilities, boxes, features.height, features.width)

    def _proposal_head(self, device: str, threads: int | None) -> Head | None:
        if self.bundle.proposals is None:
            return None
        path = self.bundle.folder / self.bundle.proposals.graph
        return Head(path, ("boxes", "scores"), device, threads)

    def _embedding_dimensions(self) -> int:
        shape = self._embed.shape("embeddings")
        if not self._embed.takes_boxes or len(shape) != 2 or not isinstance(shape[1], int):
            raise ModelError(
                f"{self.bundle.folder / self.bundle.embedding.graph} must have an input 'boxes' or "
                "'crops' and an output 'embeddings' of shape (N, D) with D a number"
            )
        return shape[1]

    def _tensors_to_fetch(self) -> list[str]:
        """Outputs of the image graph that the detector and the heads read."""
        path = self.bundle.folder / self.bundle.image.graph
        inputs = [node.name for node in self._image.get_inputs()]
        if set(inputs) - {"size"} != {self.bundle.image.input}:
            raise ModelError(
                f"{path} has the inputs {inputs}, not {self.bundle.image.input!r} alone"
            )
        detector = self.bundle.detector
        heads = [head for head in (self._embed, self._masks, self._proposals) if head]
        taps = {tap for head in heads for tap in head.taps}
        read = {*taps, *(detector.outputs.values() if detector else ())} - set(inputs)
        given = [node.name for node in self._image.get_outputs()]
        if unknown := sorted(read - set(given)):
            raise ModelError(
                f"{path} has no output {unknown[0]!r}, which the bundle reads"
                f"{nearest(unknown[0], given)}"
            )
        return sorted(read)
