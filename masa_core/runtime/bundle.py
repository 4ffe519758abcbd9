"""A bundle: a folder with bundle.yaml and the ONNX graphs that it describes, read and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml

from masa_core.detectors import DetectorSpec
from masa_core.runtime.protocol import ModelError
from masa_core.wording import nearest

FORMAT = 1  # of bundle.yaml; raised when an older reader would misunderstand it


@dataclass(frozen=True)
class ImageSpec:
    """`image`: the graph from a frame to feature maps and detections, and what it is fed.

    Either `pixels` and `multiple` say how frames are resized, or `size`. A graph may have a second
    input, `size` (2,) float32: height and width of the frame within the input, px.
    """

    graph: str  # file name in the bundle
    input: str  # name of the graph's input, (1, 3, H, W) float32
    mean: tuple[float, ...]  # of each channel in 0..255, in the order of `channels`; subtracted
    std: tuple[float, ...]  # of each channel, divided by
    channels: str = "bgr"  # or "rgb": what the graph is fed
    pixels: int = 0  # frames are stretched to about this area, px
    multiple: int = 0  # height and width are multiples of this, px
    size: tuple[int, ...] = ()  # height, width: frames are fitted in, top left, their shape kept
    long_side: int = 0  # of the fitted frame at most, px; 0: as large as `size` allows
    short_side: int = 0

    def __post_init__(self) -> None:
        if self.size:
            if len(self.size) != 2 or min(self.size) < 1 or self.pixels or self.multiple:
                raise ValueError("'size' must be height and width, without 'pixels', 'multiple'")
        elif self.multiple < 1 or self.pixels < self.multiple**2:
            raise ValueError("'pixels' must be at least 'multiple' squared, and 'multiple' 1")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError("'mean' and 'std' must be three numbers each, 'std' above 0")
        if self.channels not in ("bgr", "rgb"):
            raise ValueError(f"'channels' must be bgr or rgb, got {self.channels!r}")


@dataclass(frozen=True)
class EmbeddingSpec:
    """`embedding`: the graph from feature maps and boxes to `embeddings` (N, D) float32.

    Its inputs may be `boxes` (N, 4) float32, x1 y1 x2 y2 in pixels of the network input, and
    `crops` (N, 3, *crop) float32, the boxes cut out of the frame itself: BGR, 0..255. Every other
    input has the name of an output of the image graph (or of its input).
    """

    graph: str  # file name in the bundle
    crop: tuple[int, ...] = ()  # height and width of `crops`, px; leave out without them

    def __post_init__(self) -> None:
        if self.crop and (len(self.crop) != 2 or min(self.crop) < 1):
            raise ValueError(f"'crop' must be height and width, got {list(self.crop)}")


@dataclass(frozen=True)
class MasksSpec:
    """`masks`: the graph from feature maps and `boxes` to `masks` (N, h, w) float32.

    They are the probabilities of the object's pixels, stretched over its box; otherwise as the
    graph of the embedding, without crops.
    """

    graph: str


@dataclass(frozen=True)
class ProposalsSpec:
    """`proposals`: the graph from feature maps to objects of any kind, duplicates removed.

    Its outputs are `boxes` (M, 4) float32 in pixels of the network input and `scores` (M,) in
    0..1. It may have an input `size` as the image graph.
    """

    graph: str


@dataclass(frozen=True)
class Bundle:
    """What bundle.yaml says. Every file it names is there and has the SHA-256 it says."""

    folder: Path
    format: int
    name: str
    files: dict[str, str]  # file name -> SHA-256
    image: ImageSpec
    embedding: EmbeddingSpec
    detector: DetectorSpec | None = None
    masks: MasksSpec | None = None
    proposals: ProposalsSpec | None = None
    provenance: dict[str, str] = field(default_factory=dict)  # for people


def read_bundle(folder: Path) -> Bundle:
    """Reads and checks a bundle. Raises ModelError that names the file and what to do."""
    path = folder / "bundle.yaml"
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ModelError(f"{path} cannot be read ({error.strerror}); is it a bundle?") from error
    except yaml.YAMLError as error:
        raise ModelError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, Mapping) or content.get("format") != FORMAT:
        raise ModelError(f"{path} must say 'format: {FORMAT}', the format that is read here")
    bundle = _section(Bundle, {**content, "folder": folder}, str(path))
    parts = (bundle.image, bundle.embedding, bundle.masks, bundle.proposals)
    graphs = [part.graph for part in parts if part]
    if missing := [name for name in graphs if name not in bundle.files]:
        raise ModelError(f"{path}: 'files' lacks the SHA-256 of {missing[0]}")
    for name, digest in bundle.files.items():
        if Path(name).name != name:
            raise ModelError(f"{path}: {name!r} in 'files' is not a file of the bundle's folder")
        _check_file(folder / name, digest)
    return bundle


def sha256(path: Path) -> str:
    """SHA-256 of a file as a hexadecimal string."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):  # weights may be larger than memory allows twice
            digest.update(block)
    return digest.hexdigest()


def _check_file(path: Path, digest: str) -> None:
    try:
        found = sha256(path)
    except OSError as error:
        raise ModelError(
            f"{path} cannot be read ({error.strerror}); bundle.yaml names it, so fetch the whole "
            "bundle again"
        ) from error
    if found != digest:
        raise ModelError(
            f"{path} has SHA-256 {found[:12]}..., bundle.yaml says {digest[:12]}...: the file is "
            "damaged or another version (a Git LFS pointer?); fetch the whole bundle again"
        )


def _tuple_of(kind: Callable[[Any], Any]) -> Callable[[Any], tuple[Any, ...]]:
    return lambda values: tuple(kind(value) for value in _instance(list)(values))


def _instance(kind: type) -> Callable[[Any], Any]:
    def check(value: Any) -> Any:
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ValueError(f"expected a {kind.__name__}, got {value!r}")
        return value

    return check


# What reads the value of a field, by the field's type as it is written above.
_READ: dict[str, Callable[[Any], Any]] = {
    "Path": Path,
    "int": _instance(int),
    "float": float,
    "str": _instance(str),
    "dict[str, str]": _instance(dict),
    "tuple[int, ...]": _tuple_of(int),
    "tuple[float, ...]": _tuple_of(float),
    "tuple[str, ...]": _tuple_of(str),
}
_SECTIONS = {
    "ImageSpec": ImageSpec,
    "EmbeddingSpec": EmbeddingSpec,
    "DetectorSpec | None": DetectorSpec,
    "MasksSpec | None": MasksSpec,
    "ProposalsSpec | None": ProposalsSpec,
}
_T = TypeVar("_T")


def _section(cls: type[_T], content: Any, where: str) -> _T:
    """The dataclass of a mapping in bundle.yaml; `where` names it in errors."""
    if not isinstance(content, Mapping):
        raise ModelError(f"{where} must hold 'key: value' lines, got {content!r}")
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    for key in content:
        if key not in known:
            raise ModelError(f"{where}: unknown key {key!r}{nearest(str(key), list(known))}")
    values: dict[str, Any] = {}
    for name, f in known.items():
        kind = str(f.type)
        if name not in content:
            if f.default is MISSING and f.default_factory is MISSING:
                raise ModelError(f"{where}: {name!r} is missing")
        elif kind in _SECTIONS:
            values[name] = _section(_SECTIONS[kind], content[name], f"{where}, {name!r}")
        else:
            try:
                values[name] = _READ[kind](content[name])
            except (TypeError, ValueError) as error:
                raise ModelError(f"{where}: {name!r} is wrong: {error}") from error
    try:
        return cls(**values)
    except ValueError as error:
        raise ModelError(f"{where}: {error}") from error
