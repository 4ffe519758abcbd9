"""Weights from files and to them: the published checkpoints, and ours (safetensors)."""

from __future__ import annotations

import pickle
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from masa_core.io.atomic import whole_file
from masa_core.runtime.bundle import sha256
from masa_core.runtime.protocol import ModelError

# Published files may hold these beyond the model: position ids of an older BERT, BERT's pooler,
# what only the training of Grounding DINO and of Detic reads, and the classifier that the encoder
# of MobileSAM was trained with before.
_NOT_NEEDED = re.compile(
    r".*\.embeddings\.position_ids"
    r"|detector\.language_model\..*\.pooler\.dense\.(weight|bias)"
    r"|detector\.dn_query_generator\.label_embedding\.weight"
    r"|detector\.roi_head\.bbox_head\.\d+\.freq_weight"
    r"|backbone\.(norm_)?head\.(weight|bias)"
)
# And they may lack these: a counter of batch norm that inference never reads.
_NOT_MISSED = re.compile(r".*\.num_batches_tracked")
# A training checkpoint carries its logs as objects of these types. They are read as nothing.
_INERT = (
    "mmengine.logging.history_buffer.HistoryBuffer",
    "numpy.core.multiarray._reconstruct",
    "numpy._core.multiarray._reconstruct",
    "numpy.core.multiarray.scalar",
    "numpy._core.multiarray.scalar",
    "numpy.ndarray",
    "numpy.dtype",
    "_codecs.encode",
)


@dataclass
class LoadReport:
    """How a file's weights met a model's. Clean when the first three lists are empty."""

    missing: list[str] = field(default_factory=list)  # the model has it, the file has not
    unexpected: list[str] = field(default_factory=list)
    misshapen: list[str] = field(default_factory=list)  # "key: (shape in file), not (shape)"
    ignored: list[str] = field(default_factory=list)  # known to be of no use, or not missed
    loaded: int = 0

    @property
    def clean(self) -> bool:
        return not (self.missing or self.unexpected or self.misshapen)

    def __str__(self) -> str:
        parts = [f"{self.loaded} tensors loaded, {len(self.ignored)} ignored"]
        for word in ("missing", "unexpected", "misshapen"):
            keys = getattr(self, word)
            if keys:
                more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""
                parts.append(f"{len(keys)} {word}: {', '.join(keys[:5])}{more}")
        return "; ".join(parts)


def load_official(
    module: nn.Module, source: str | Path | Mapping[str, Any], prefix: str = ""
) -> LoadReport:
    """Give a module the weights of a published checkpoint: a file, or its state dict.

    Strict: every weight must be there, with its shape, and nothing else, but for a short list of
    keys that are known not to matter (in the report under ``ignored``). ``prefix`` is taken off
    the file's keys first, and keys without it are left out of account. Raises ModelError with the
    report, and leaves the module as it was, when they do not fit.
    """
    state = source if isinstance(source, Mapping) else read(Path(source))
    state = _state_dict(state)
    state = {k[len(prefix) :]: v for k, v in state.items() if k.startswith(prefix)}
    origin = "the given state dict" if isinstance(source, Mapping) else str(source)
    report = check_fit(module, state, origin)
    module.load_state_dict({k: state.get(k, own) for k, own in module.state_dict().items()})
    return report


def check_fit(module: nn.Module, state: Mapping[str, Tensor], origin: str) -> LoadReport:
    """How the weights would meet the module's. Raises ModelError where they do not fit."""
    report = _compare(module.state_dict(), state)
    if not report.clean:
        raise ModelError(
            f"{origin} does not fit {getattr(module, 'name', type(module).__name__)}: {report}"
        )
    return report


def read(path: Path) -> dict[str, Tensor]:
    """The tensors of a .safetensors file, or of a torch file without running any code in it.

    Raises ModelError when the file is missing, damaged, or holds anything but plain data.
    """
    if not path.is_file():
        raise ModelError(f"{path} is not there")
    if path.suffix == ".safetensors":
        return _read_safetensors(path)
    try:
        with torch.serialization.safe_globals([_inert(name) for name in _INERT]):
            content = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        found = re.search(r"GLOBAL (\S+)", str(error))
        what = f"names {found[1]}, which could run code" if found else "is no file of tensors"
        raise ModelError(
            f"{path} was refused: it {what}; fetch the file from its publisher"
        ) from error
    except (RuntimeError, EOFError, ValueError, KeyError) as error:
        raise ModelError(
            f"{path} cannot be read as a torch file; it may be cut off: fetch it again"
        ) from error
    if not isinstance(content, Mapping):
        raise ModelError(f"{path} holds a {type(content).__name__}, not a state dict")
    return _state_dict(content)


def _read_safetensors(path: Path) -> dict[str, Tensor]:
    card = path.with_suffix(".yaml")
    if card.is_file():
        content = yaml.safe_load(card.read_text(encoding="utf-8"))
        expected = content.get("sha256") if isinstance(content, Mapping) else None
        if expected != sha256(path):
            raise ModelError(f"{path} has not the SHA-256 that {card.name} says; convert it again")
    try:
        return load_file(path)
    except SafetensorError as error:
        raise ModelError(f"{path} is damaged ({error}); convert or fetch it again") from error


def _state_dict(content: Mapping[str, Any]) -> dict[str, Tensor]:
    """The weights in a checkpoint: under ``state_dict``, or the mapping itself."""
    state = content.get("state_dict", content)
    return {key: value for key, value in state.items() if isinstance(value, Tensor)}


def _compare(wanted: Mapping[str, Tensor], found: Mapping[str, Tensor]) -> LoadReport:
    report = LoadReport()
    for key, tensor in wanted.items():
        if key not in found:
            (report.ignored if _NOT_MISSED.fullmatch(key) else report.missing).append(key)
        elif found[key].shape != tensor.shape:
            report.misshapen.append(f"{key}: {tuple(found[key].shape)}, not {tuple(tensor.shape)}")
        else:
            report.loaded += 1
    for key in found.keys() - wanted.keys():
        (report.ignored if _NOT_NEEDED.fullmatch(key) else report.unexpected).append(key)
    report.unexpected.sort()
    report.ignored.sort()
    return report


def _inert(name: str) -> type:
    """A type of the given dotted name that takes anything and keeps nothing of it."""
    module, _, attribute = name.rpartition(".")
    return type(
        attribute,
        (),
        {
            "__module__": module,
            "__new__": lambda cls, *_args: object.__new__(cls),
            "__setstate__": lambda _self, _state: None,
        },
    )


def write(tensors: Mapping[str, Tensor], path: Path) -> None:
    """A whole safetensors file. The tensors may share memory, be strided, or lie on a GPU."""
    plain = {key: tensor.detach().cpu().contiguous().clone() for key, tensor in tensors.items()}
    with whole_file(path) as part:
        save_file(plain, part)
        part.chmod(0o644)  # as other files; safetensors makes it its owner's alone
