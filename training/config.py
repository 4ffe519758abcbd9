"""What a training run is: a YAML file, read strictly into these dataclasses.

A key that is not known is an error with its file and line, because a mistyped one would otherwise
cost the hours of a run. `key=value` on the command line goes over the file: `data.pairs=8`.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from pathlib import Path

import yaml

from training.strict_yaml import ConfigError, read_nodes, to_dataclass
from training.views.settings import ViewSettings

__all__ = ["Config", "ConfigError", "read_config"]

PRECISIONS = ("fp32", "bf16", "fp16")
# Statistics of all GPUs together; of each process alone, of which the first one's are kept; as they
# are at the start.
BATCH_NORMS = ("sync", "local", "frozen")


@dataclass(frozen=True)
class TorchModel:
    """`model`: one of the published models, trained anew or further.

    weights: a file with the backbone, and the detector where there is one: a checkpoint of the
    model, or of SAM, or for Grounding DINO a folder in transformers' format. By default what
    `masa download` fetched. adapter: "new", or "given" to go on from the one in that file.
    random_backbone: do without any; the result is of use to tests alone.
    """

    name: str
    weights: str = ""
    adapter: str = "new"
    random_backbone: bool = False
    batch_norm: str = "sync"  # of adapter and heads, see BATCH_NORMS

    def __post_init__(self) -> None:
        _one_of("batch_norm", self.batch_norm, BATCH_NORMS)
        _one_of("adapter", self.adapter, ("new", "given"))


@dataclass(frozen=True)
class OnnxAdapter:
    """`onnx`: a small adapter on a frozen detector that is an ONNX graph.

    bundle: a folder whose bundle.yaml describes the detector (an embedding it may have is not
    used). taps: names of tensors of its image graph, fine to coarse, with their strides in pixels,
    each twice the one before; they need not be outputs.
    """

    bundle: str
    taps: dict[str, int]
    width: int = 64  # channels of the pyramid
    fusion: bool = False  # deformable fusion: costs more than all the rest
    hidden: int = 256
    embedding: int = 128
    detection: bool = True  # distil proposals; without it, the track head sees shaken true boxes
    masks: bool = False
    batch_norm: str = "local"

    def __post_init__(self) -> None:
        _one_of("batch_norm", self.batch_norm, BATCH_NORMS)
        strides = list(self.taps.values())
        if not 1 <= len(strides) <= 5 or min(strides) < 1:
            raise ValueError("'taps' must name one to five tensors with their strides")
        if any(b != 2 * a for a, b in pairwise(strides)):
            raise ValueError(f"strides of 'taps' must double from each to the next, got {strides}")
        _not_below(1, self, "width", "hidden", "embedding")
        if self.width % 32:
            raise ValueError(f"'width' must be a multiple of 32 (group norm), got {self.width}")


@dataclass(frozen=True)
class Data:
    """`data`: where images with segments are, and how many are drawn.

    folders: each with its share of the samples, relative to the others.
    segments: of folders whose JSON files do not lie beside their images, where they are.
    images_per_epoch: drawn with replacement; each gives one pair of views.
    pairs: in a batch, of all processes together (64 pairs are the published batch of 128 images).
    sources: take segments whose `source` is one of these alone; by default, all there are.
    most_segments: of an image, always the same random ones; 0: all.
    """

    folders: dict[str, float]
    images_per_epoch: int = 200_000
    pairs: int = 64
    workers: int = 4  # processes that prepare views, for each training process
    sources: tuple[str, ...] = ()
    most_segments: int = 0
    segments: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.folders:
            raise ValueError("'folders' names no folder")
        if not 1 <= self.pairs <= self.images_per_epoch:
            raise ValueError("'pairs' must be at least 1, and 'images_per_epoch' no less than it")
        for folder, weight in self.folders.items():
            if not 0 < weight < math.inf:
                raise ValueError(
                    f"the weight of {folder!r} in 'folders' must be above 0, got {weight}: to draw "
                    "nothing from a folder, leave it out"
                )
        if unknown := self.segments.keys() - self.folders.keys():
            raise ValueError(f"'segments' is of {min(unknown)!r}, which 'folders' does not name")
        _not_below(0, self, "workers", "most_segments")


@dataclass(frozen=True)
class Optimizer:
    """`optimizer`. lr is for a batch of 64 pairs, and scaled linearly to the batch there is."""

    kind: str = "sgd"  # or adamw
    lr: float = 0.08
    momentum: float = 0.9  # of sgd
    weight_decay: float = 1e-4
    clip_norm: float = 35.0  # of the gradient, L2; 0: not clipped

    def __post_init__(self) -> None:
        _one_of("kind", self.kind, ("sgd", "adamw"))
        _not_below(0, self, "lr", "momentum", "weight_decay", "clip_norm")


@dataclass(frozen=True)
class Schedule:
    """`schedule`: of the learning rate, and what is trained when.

    kind: "step" (times 0.1 at each of `milestones`, in epochs) or "cosine" (down to 0).
    without_mixup: the last epochs that go without MixUp. track_head_epochs: epochs after the
    others, with all augmentations, in which the track head alone is trained, at track_head_rate
    times the first learning rate (the paper names no rate; supplement J.2). With 0 `epochs`, that
    is all: domain adaptation (appendix D).
    """

    epochs: int = 12
    kind: str = "step"
    milestones: tuple[int, ...] = (8, 11)
    warmup_steps: int = 1000
    warmup_from: float = 1e-3  # of the learning rate
    without_mixup: int = 0
    track_head_epochs: int = 0
    track_head_rate: float = 0.1

    def __post_init__(self) -> None:
        _one_of("kind", self.kind, ("step", "cosine"))
        if min(self.epochs, self.track_head_epochs) < 0 or not self.epochs + self.track_head_epochs:
            raise ValueError("'epochs' and 'track_head_epochs' must not be below 0, nor both 0")
        if not 0 <= self.without_mixup <= self.epochs:
            raise ValueError("'without_mixup' must be 0 to 'epochs'")
        _not_below(0, self, "warmup_steps", "warmup_from", "track_head_rate")


@dataclass(frozen=True)
class Validation:
    """`validation`: rank-1 retrieval on a clip, now and then during training.

    truth: MOTChallenge gt.txt of the video; empty where `clip` is a drive with its truth in it.
    """

    clip: str
    truth: str = ""
    every: int = 1000  # steps
    gaps_s: tuple[float, ...] = (0.5, 2.5, 10.0)

    def __post_init__(self) -> None:
        _not_below(1, self, "every")


@dataclass(frozen=True)
class Run:
    """`run`: how and where, with no bearing on what is learned but for rounding."""

    out: str = ""  # folder; by default runs/NAME
    seed: int = 0
    device: str = "auto"  # or cpu, cuda
    precision: str = "fp32"
    accumulate: int = 1  # parts that a batch is computed in, where memory is short
    ema: float = 0.0  # decay of the average of the weights that is validated and kept; 0: none
    checkpoint_every: int = 1000  # steps
    keep: int = 3  # checkpoints
    log_every: int = 50  # steps
    pictures_every: int = 1000  # steps between pairs of views in TensorBoard; 0: none
    stop_after: int = 5  # steps in a row whose loss is no number

    def __post_init__(self) -> None:
        _one_of("precision", self.precision, PRECISIONS)
        _one_of("device", self.device, ("auto", "cpu", "cuda"))
        _not_below(1, self, "accumulate", "checkpoint_every", "log_every", "stop_after")
        _not_below(0, self, "keep", "pictures_every", "seed")
        if not 0 <= self.ema < 1:
            raise ValueError(f"'ema' must be 0 or more and below 1, got {self.ema}")


@dataclass(frozen=True)
class Config:
    """One run. Exactly one of `model` and `onnx` is there."""

    name: str
    data: Data
    model: TorchModel | None = None
    onnx: OnnxAdapter | None = None
    views: ViewSettings = field(default_factory=ViewSettings)
    optimizer: Optimizer = field(default_factory=Optimizer)
    schedule: Schedule = field(default_factory=Schedule)
    validation: Validation | None = None
    run: Run = field(default_factory=Run)

    def __post_init__(self) -> None:
        if (self.model is None) == (self.onnx is None):
            raise ValueError("one of 'model' and 'onnx' must be there, and not both")

    @property
    def folder(self) -> Path:
        return Path(self.run.out or f"runs/{self.name}")

    @property
    def steps_per_epoch(self) -> int:
        return self.data.images_per_epoch // self.data.pairs

    @property
    def steps(self) -> int:
        epochs = self.schedule.epochs + self.schedule.track_head_epochs
        return epochs * self.steps_per_epoch

    def as_yaml(self) -> str:
        """The whole configuration, defaults included: what `read_config` reads back."""
        content = {key: value for key, value in asdict(self).items() if value is not None}
        return yaml.safe_dump(_plain(content), sort_keys=False)


def read_config(path: Path, overrides: list[str] | None = None) -> Config:
    """The configuration in a YAML file, with "a.b=value" put over it.

    Raises ConfigError: one sentence with file, line and key, for people.
    """
    return to_dataclass(Config, read_nodes(path, overrides or []))


def _one_of(name: str, value: str, known: tuple[str, ...]) -> None:
    if value not in known:
        raise ValueError(f"{name!r} must be one of {', '.join(known)}, got {value!r}")


def _not_below(least: float, settings: object, *names: str) -> None:
    for name in names:
        value = getattr(settings, name)
        if not value >= least:  # nor is .nan
            raise ValueError(f"{name!r} must not be below {least}, got {value}")


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items() if item is not None}
    return [_plain(item) for item in value] if isinstance(value, tuple | list) else value
