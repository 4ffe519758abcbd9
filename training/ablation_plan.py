"""What an ablation compares: a YAML file such as training/ablation.yaml, read strictly."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from masa_core.io.atomic import write_text
from masa_core.wording import nearest
from training.config import Config, OnnxAdapter, read_config
from training.onnx_backbone import image_spec
from training.strict_yaml import ConfigError, read_nodes, to_dataclass

REFERENCES = ("histogram", "maps", "bundle")  # what needs no training


@dataclass(frozen=True)
class Row:
    """says: in the tables. The others are explained in training/ablation.yaml."""

    says: str
    settings: tuple[str, ...] = ()
    reference: str = ""
    steps: int = 0  # 0: as many as the others
    one_size: bool = False

    def __post_init__(self) -> None:
        if self.reference and self.reference not in REFERENCES:
            raise ValueError(
                f"'reference' must be one of {', '.join(REFERENCES)}, got {self.reference!r}"
            )


@dataclass(frozen=True)
class Table:
    title: str
    rows: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """base: the configuration that `settings`, and then those of a row, go over."""

    base: str
    rows: dict[str, Row]
    tables: tuple[Table, ...]
    settings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for table in self.tables:
            self.check(table.rows)

    @property
    def bundle(self) -> str:
        """Folder of the detector, as `base` and `settings` name it."""
        return self._read(())[1].bundle

    def check(self, names: Sequence[str]) -> None:
        """Raises ValueError for a name that no row has."""
        for name in names:
            if name not in self.rows:
                raise ValueError(f"there is no row {name!r}{nearest(name, list(self.rows))}")

    def jobs(self, names: Sequence[str], seeds: Sequence[int]) -> list[tuple[str, int]]:
        """Which row is to be trained with which seed, in order; references once."""
        rows = {name: self.rows[name] for name in self.rows if name in names}
        return [
            (name, seed)
            for number, seed in enumerate(seeds)
            for name, row in rows.items()
            if not (row.reference and number)
        ]

    def config(self, name: str, seed: int, steps: int, folders: list[str], out: Path) -> Config:
        """The training run of a row. Raises ConfigError where its settings make none."""
        row = self.rows[name]
        config, onnx = self._read(row.settings)
        if row.one_size:
            onnx = replace(onnx, bundle=str(out / f"{config.views.size}px"))
        count = (row.steps or steps) * config.data.pairs
        return replace(
            config,
            name=name,
            onnx=onnx,
            data=replace(config.data, folders=dict.fromkeys(folders, 1.0), images_per_epoch=count),
            schedule=replace(config.schedule, epochs=1, track_head_epochs=0),
            run=replace(config.run, seed=seed, out=str(out / f"{name}-{seed}")),
        )

    def _read(self, settings: Sequence[str]) -> tuple[Config, OnnxAdapter]:
        config = read_config(Path(self.base), [*self.settings, *settings])
        if config.onnx is None:
            raise ConfigError(f"{self.base} has no section 'onnx': ablations are of such adapters")
        return config, config.onnx


def read_plan(path: Path) -> Plan:
    """Raises ConfigError: one sentence with file, line and key, for people."""
    return to_dataclass(Plan, read_nodes(path, []))


def write_one_size(bundle: Path, side: int, folder: Path) -> None:
    """A copy of a detector that takes all frames at ``side`` x ``side`` px."""
    spec = image_spec(bundle)
    folder.mkdir(parents=True, exist_ok=True)
    for path in (bundle / spec.graph, *bundle.glob("NOTICE*")):
        shutil.copy(path, folder)
    content = yaml.safe_load((bundle / "bundle.yaml").read_text(encoding="utf-8"))
    image = {k: v for k, v in content["image"].items() if k not in ("pixels", "multiple")}
    content["image"] = image | {"size": [side, side]}
    write_text(folder / "bundle.yaml", yaml.safe_dump(content, sort_keys=False))
