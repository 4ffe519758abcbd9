"""A frozen ONNX detector as the backbone of a torch model: ONNX Runtime makes its taps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from masa_core.models.preprocess import Geometry
from masa_core.runtime.bundle_spec import ImageSpec
from masa_core.runtime.fit import prepare
from masa_core.runtime.protocol import ModelError
from masa_core.wording import nearest
from training.strict_yaml import ConfigError, read_nodes, to_dataclass

# Inputs and outputs of the graphs that read the taps, which are inputs by their names.
_HEADS_OWN = ("boxes", "size", "crops", "embeddings", "masks", "scores")


def image_spec(folder: Path) -> ImageSpec:
    """Section `image` of a folder's bundle.yaml, which needs no other section to be trained on."""
    path = folder / "bundle.yaml"
    root = read_nodes(path, [])
    for key, node in root.value:
        if key.value == "image":
            return to_dataclass(ImageSpec, node)
    raise ConfigError(f"{path} has no section 'image', which says how frames are fed to the graph")


def tapped_graph(path: Path, taps: Sequence[str]) -> bytes:
    """The ONNX graph in a file, with the tensors of these names among its outputs.

    Raises ModelError for a name that no tensor of the graph has.
    """
    try:
        model = onnx.load(path)
    except Exception as error:  # protobuf's and the file system's
        raise ModelError(f"{path} cannot be read as an ONNX graph: {error}") from error
    outputs = {value.name for value in model.graph.output}
    tensors = [name for node in model.graph.node for name in node.output if name]
    for tap in taps:
        if tap not in tensors:
            raise ModelError(f"{path} has no tensor {tap!r}{nearest(tap, tensors)}")
        if tap in _HEADS_OWN:
            raise ModelError(
                f"tensor {tap!r} of {path} has a name that a bundle's heads use themselves: rename "
                "it in the graph"
            )
        if tap not in outputs:
            model.graph.output.append(onnx.ValueInfoProto(name=tap))
    content: bytes = model.SerializeToString()
    return content


class OnnxBackbone(nn.Module):
    """forward: (B, 3, H, W) float32 input as the graph wants it, normalised -> its taps, detached.

    taps: names of tensors, (B, C, h, w), fine to coarse. ``shapes``, ``channels``: of each of them,
    for an image of ``probed`` height and width. The graph sees one image at a time (those of
    detectors are made for one), and is no parameter of any kind: nothing in it can be trained.
    """

    def __init__(self, folder: Path, taps: Sequence[str], device: torch.device) -> None:
        super().__init__()
        self.spec = image_spec(folder)
        self.taps = tuple(taps)
        self.graph = tapped_graph(folder / self.spec.graph, taps)
        self._session = _session(self.graph, folder / self.spec.graph, device)
        self._takes_size = "size" in [node.name for node in self._session.get_inputs()]
        self.probed = self.spec.size or (4 * max(self.spec.multiple, 32),) * 2
        self.shapes = self._probe(folder / self.spec.graph)
        self.channels = [shape[1] for shape in self.shapes]

    def _probe(self, path: Path) -> list[tuple[int, ...]]:
        """Shapes of the taps for an image of `probed` px. Raises ModelError."""
        height, width = self.probed
        try:
            taps = self._run(np.zeros((1, 3, height, width), np.float32))
        except Exception as error:  # ONNX Runtime has a class of its own for each cause
            inputs = ", ".join(f"{n.name} {n.type} {n.shape}" for n in self._session.get_inputs())
            raise ModelError(
                f"{path} takes {inputs}, and section 'image' of bundle.yaml has it fed with "
                f"{self.spec.input} tensor(float) {[1, 3, height, width]}: change that section, or "
                f"export the detector anew ({' '.join(str(error).split())})"
            ) from error
        for name, tap in zip(self.taps, taps, strict=True):
            if tap.ndim != 4:
                raise ModelError(
                    f"tensor {name!r} of {path} is {list(tap.shape)}, no map (1, channels, height, "
                    "width): tap another"
                )
        return [tap.shape for tap in taps]

    @torch.no_grad()
    def forward(self, images: Tensor) -> list[Tensor]:
        pixels = images.detach().float().cpu().numpy()
        rows = [self._run(pixels[i : i + 1]) for i in range(len(pixels))]
        return [
            torch.from_numpy(np.concatenate(taps)).to(images.device)
            for taps in zip(*rows, strict=True)
        ]

    def _run(self, image: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        feeds: dict[str, Any] = {self.spec.input: image}
        if self._takes_size:
            feeds["size"] = np.array(image.shape[2:], np.float32)
        found: list[NDArray[np.float32]] = self._session.run(list(self.taps), feeds)
        return found


class BundlePreprocessing:
    """Frames as a bundle feeds them to its graph, in place of `masa_core.models.Preprocessing`."""

    def __init__(self, spec: ImageSpec) -> None:
        self._spec = spec

    def __call__(
        self,
        frame_bgr: NDArray[np.uint8],
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> tuple[Tensor, Geometry]:
        image, size = prepare(frame_bgr, self._spec)
        geometry = Geometry(*frame_bgr.shape[:2], *size, *image.shape[2:])
        return torch.from_numpy(image).to(device, dtype), geometry


def check_input(spec: ImageSpec, side: int) -> None:
    """Raises ConfigError where a square view of ``side`` px is no input of the graph."""
    if spec.size and tuple(spec.size) != (side, side):
        raise ConfigError(
            f"the graph takes images of {spec.size[1]} x {spec.size[0]} px, views are {side} x "
            f"{side} px: export the detector with a square input and set views.size to its side"
        )
    if spec.multiple and side % spec.multiple:
        raise ConfigError(
            f"views.size is {side}, but the graph takes multiples of {spec.multiple} px"
        )


def check_strides(backbone: OnnxBackbone, taps: Mapping[str, int]) -> None:
    """Raises ConfigError where the map of a tap is not as large as its stride says.

    By a pixel it may differ: convolutions round up or down, and some have no padding.
    """
    for (name, stride), (_, _, *map_px) in zip(taps.items(), backbone.shapes, strict=True):
        image_px = list(backbone.probed)
        if any(abs(m - i / stride) > 1 for m, i in zip(map_px, image_px, strict=True)):
            raise ConfigError(
                f"onnx.taps says that {name!r} has stride {stride}, but it is {map_px} px for an "
                f"image of {image_px} px: a stride of {image_px[0] / map_px[0]:g}"
            )


def _session(graph: bytes, path: Path, device: torch.device) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # no warning of outputs without a known shape
    options.intra_op_num_threads = torch.get_num_threads()
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    wanted: list[Any] = ["CPUExecutionProvider"]
    if device.type == "cuda" and "CUDAExecutionProvider" in onnxruntime.get_available_providers():
        wanted.insert(0, ("CUDAExecutionProvider", {"device_id": device.index or 0}))
    try:
        return onnxruntime.InferenceSession(graph, options, providers=wanted)
    except Exception as error:  # ONNX Runtime has a class of its own for each cause
        raise ModelError(f"{path} cannot be run by ONNX Runtime: {error}") from error
