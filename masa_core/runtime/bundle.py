"""A bundle: a folder with bundle.yaml and the ONNX graphs that it describes, read and checked."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any, TypeVar

import yaml

from masa_core.detectors import DetectorSpec
from masa_core.runtime.bundle_spec import EmbeddingSpec, ImageSpec, MasksSpec, ProposalsSpec
from masa_core.runtime.protocol import ModelError
from masa_core.wording import nearest

FORMAT = 1  # of bundle.yaml; raised when an older reader would misunderstand it


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
    except (yaml.YAMLError, ValueError) as error:  # ValueError: no UTF-8, or no date
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


def _texts(value: Any) -> dict[str, str]:
    return {str(key): str(text) for key, text in _instance(dict)(value).items()}


# What reads the value of a field, by the field's type as it is written above.
_READ: dict[str, Callable[[Any], Any]] = {
    "Path": Path,
    "int": _instance(int),
    "float": float,
    "str": _instance(str),
    "dict[str, str]": _texts,
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
