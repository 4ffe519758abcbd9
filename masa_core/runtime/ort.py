"""A bundle run by ONNX Runtime, on the CPU or on CUDA."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from masa_core.detectors import decode
from masa_core.runtime.bundle import read_bundle
from masa_core.runtime.fit import prepare
from masa_core.runtime.protocol import ModelError
from masa_core.structures import Detections, Mask
from masa_core.wording import nearest

_MAX_THREADS = 4  # more gain a small network little and starve the rest of a robot


@dataclass(frozen=True, eq=False)
class BundleFeatures:
    """What the image graph made of one frame, which was stretched to the network's input size."""

    height: int  # of the original frame, px
    width: int
    tensors: dict[str, NDArray[np.float32]]  # input and outputs of the image graph, by name
    scale: NDArray[np.float32]  # (4,) network px per frame px: x y x y


class OrtModel:
    """masa_core.runtime.Model for the bundle in a folder.

    threads: of the CPU; None for one for each core that this process may use, four at most.
    Raises ModelError when the bundle is damaged or the device is not to be had.
    """

    has_masks = False

    def __init__(self, folder: Path, device: str = "cpu", threads: int | None = None) -> None:
        self.bundle = read_bundle(folder)
        self.name = self.bundle.name
        self.has_detector = self.bundle.detector is not None
        self.classes = self.bundle.detector.classes if self.bundle.detector else ()
        self._image = open_session(folder / self.bundle.image.graph, device, threads)
        self._instances = open_session(folder / self.bundle.embedding.graph, device, threads)
        self._taps, self._dimensions = self._embedding_facts()
        self._wanted = self._tensors_to_fetch()
        self._takes_size = any(node.name == "size" for node in self._image.get_inputs())

    def encode(self, frame_bgr: NDArray[np.uint8]) -> BundleFeatures:
        height, width = frame_bgr.shape[:2]
        spec = self.bundle.image
        image, size = prepare(frame_bgr, spec)
        feeds = {spec.input: image}
        if self._takes_size:
            feeds["size"] = np.array(size, np.float32)
        outputs = self._image.run(self._wanted, feeds)
        tensors = {spec.input: image, **dict(zip(self._wanted, outputs, strict=True))}
        scale = np.array([size[1] / width, size[0] / height] * 2, np.float32)
        return BundleFeatures(height, width, tensors, scale)

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

    def embed(
        self, features: BundleFeatures, boxes_xyxy: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        boxes = np.asarray(boxes_xyxy, np.float32).reshape(-1, 4) * features.scale
        if len(boxes) == 0:
            return np.zeros((0, self._dimensions), np.float32)
        # RoIAlign takes samples all over a box: one far larger than the frame would exhaust memory.
        height, width = features.tensors[self.bundle.image.input].shape[2:]
        boxes = boxes.clip(0, np.array([width, height] * 2, np.float32))
        feeds = {name: features.tensors[name] for name in self._taps}
        (embeddings,) = self._instances.run(["embeddings"], {"boxes": boxes, **feeds})
        return embeddings

    def masks(self, features: BundleFeatures, boxes_xyxy: NDArray[np.float32]) -> list[Mask]:
        raise ModelError(f"bundle {self.name} gives no masks")

    def _embedding_facts(self) -> tuple[list[str], int]:
        """Names of the tensors that the embedding graph reads beside the boxes, and its D."""
        inputs = [node.name for node in self._instances.get_inputs()]
        shapes = {node.name: node.shape for node in self._instances.get_outputs()}
        shape = shapes.get("embeddings", [])
        if "boxes" not in inputs or len(shape) != 2 or not isinstance(shape[1], int):
            raise ModelError(
                f"{self.bundle.folder / self.bundle.embedding.graph} must have an input 'boxes' "
                "and an output 'embeddings' of shape (N, D) with D a number"
            )
        return [name for name in inputs if name != "boxes"], shape[1]

    def _tensors_to_fetch(self) -> list[str]:
        """Outputs of the image graph that the detector and the embedding read."""
        path = self.bundle.folder / self.bundle.image.graph
        inputs = [node.name for node in self._image.get_inputs()]
        if set(inputs) - {"size"} != {self.bundle.image.input}:
            raise ModelError(
                f"{path} has the inputs {inputs}, not {self.bundle.image.input!r} alone"
            )
        detector = self.bundle.detector
        read = {*self._taps, *(detector.outputs.values() if detector else ())} - set(inputs)
        given = [node.name for node in self._image.get_outputs()]
        if unknown := sorted(read - set(given)):
            raise ModelError(
                f"{path} has no output {unknown[0]!r}, which the bundle reads"
                f"{nearest(unknown[0], given)}"
            )
        return sorted(read)


def open_session(path: Path, device: str, threads: int | None) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or min(_cores(), _MAX_THREADS)
    # Threads that wait for work would otherwise turn in circles on the cores that others need.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    provider, provider_options = _provider(device)
    try:
        session = onnxruntime.InferenceSession(
            path, options, providers=[provider], provider_options=[provider_options]
        )
    except Exception as error:  # ONNX Runtime has a class of its own for each cause
        raise ModelError(
            f"{path} cannot be run by ONNX Runtime {onnxruntime.__version__}: {error}"
        ) from error
    if provider not in session.get_providers():
        raise ModelError(
            f"ONNX Runtime cannot use {device} for {path}: its CUDA libraries did not load (see "
            "the lines above); install the CUDA and cuDNN that it names, or use device cpu"
        )
    return session


def _provider(device: str) -> tuple[str, dict[str, str]]:
    kind, _, number = device.partition(":")
    if kind == "cpu" and not number:
        return "CPUExecutionProvider", {}
    if kind != "cuda" or not (number or "0").isdecimal():
        raise ModelError(f"unknown device {device!r}: use cpu, cuda, or cuda:1 for the second GPU")
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        raise ModelError(
            f"device {device!r} needs ONNX Runtime with CUDA: pip uninstall onnxruntime, then "
            "pip install onnxruntime-gpu; or use device cpu"
        )
    return "CUDAExecutionProvider", {"device_id": number or "0"}


def _cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
