"""Configurations are read strictly, and mistakes are named with their place."""

from __future__ import annotations

from pathlib import Path

import pytest

from training.config import ConfigError, read_config

CONFIGS = Path(__file__).parents[3] / "training" / "configs"
GOOD = """\
name: try
model: {name: masa_r50}
data:
  folders: {here: 1}
  pairs: 8
optimizer: {lr: 1e-2}
"""


def written(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "try.yaml"
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("masa_*.yaml")), ids=lambda path: path.stem)
def test_published_settings(path: Path) -> None:
    config = read_config(path)
    assert config.name == config.model.name == path.stem
    assert (config.data.images_per_epoch, config.data.pairs) == (200_000, 64)
    assert config.steps_per_epoch == 3125
    optimizer, schedule = config.optimizer, config.schedule
    assert (optimizer.kind, optimizer.lr, optimizer.momentum) == ("sgd", 0.08, 0.9)
    assert (optimizer.weight_decay, optimizer.clip_norm) == (1e-4, 35)
    assert (schedule.epochs, schedule.milestones) == (12, (8, 11))
    assert (schedule.warmup_steps, schedule.warmup_from) == (1000, 1e-3)
    sam = "sam" in path.stem
    assert (schedule.without_mixup, schedule.track_head_epochs) == ((2, 6) if sam else (0, 0))


def test_the_example_of_an_adapter_is_readable() -> None:
    config = read_config(CONFIGS / "onnx_adapter.yaml")
    assert config.onnx is not None and list(config.onnx.taps.values()) == [4, 8, 16, 32]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GOOD + "schedul: {epochs: 3}\n", "line 7: unknown key 'schedul'; did you mean 'schedule'"),
        (
            GOOD.replace("pairs: 8", "pairs: many"),
            "line 5: 'pairs' must be a whole number, got 'many'",
        ),
        (GOOD.replace("pairs: 8", "pairs: true"), "line 5: 'pairs' must be a whole number"),
        (GOOD.replace("name: try\n", ""), "line 1: 'name' is missing"),
        (GOOD + "onnx: {bundle: b, taps: {a: 4}}\n", "one of 'model' and 'onnx'"),
        (GOOD + "views: {shear_deg: 1, shear_deg: 2}\n", "line 7: 'shear_deg' is there twice"),
        (GOOD + "views: {jitter_scale: [1, 2, 3]}\n", "'jitter_scale' must be a list of 2"),
        (GOOD + "run: {precision: fp8}\n", "line 7: 'precision' must be one of fp32, bf16, fp16"),
        (GOOD + "run: {accumulate: 0}\n", "line 7: 'accumulate' must not be below 1, got 0"),
        (GOOD + "run: {checkpoint_every: 0}\n", "'checkpoint_every' must not be below 1"),
        (GOOD + "run: {log_every: 0}\n", "'log_every' must not be below 1"),
        (GOOD + "run: {seed: -1}\n", "'seed' must not be below 0, got -1"),
        (GOOD + "run: {ema: 1.5}\n", "'ema' must be 0 or more and below 1, got 1.5"),
        (GOOD + "validation: {clip: a, every: 0}\n", "'every' must not be below 1, got 0"),
        (GOOD + "views: {size: 0}\n", "'size' must be 1 or more, got 0"),
        (
            GOOD + "views: {mixup_scale: [0, 1]}\n",
            "'mixup_scale' must be the least and the largest",
        ),
        (GOOD + "views: {jitter_scale: [2, 0.1]}\n", "the largest scale, above 0, got [2.0, 0.1]"),
        (GOOD + "views: {fog: 20}\n", "'fog' is a probability, 0 to 1, got 20.0"),
        (GOOD.replace("lr: 1e-2", "lr: .nan"), "line 6: 'lr' must not be below 0, got nan"),
        (GOOD.replace("lr: 1e-2", "clip_norm: -1"), "'clip_norm' must not be below 0, got -1.0"),
        (
            GOOD.replace("{here: 1}", "{here: 1, b: 0}"),
            "line 4: the weight of 'b' in 'folders' must be above 0, got 0.0",
        ),
        (
            GOOD.replace("{here: 1}", "{here: 1}\n  segments: {there: json}"),
            "line 4: 'segments' is of 'there', which 'folders' does not name",
        ),
        (GOOD.replace("{here: 1}", "{here: 1, here: 2}"), "line 4: 'here' is in 'folders' twice"),
        ("[1, 2]", "must hold 'key: value' lines"),
        ("a: [", "is not valid YAML"),
    ],
)
def test_mistakes_are_named_with_their_place(tmp_path: Path, text: str, words: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(ConfigError) as error:
        read_config(path)
    assert str(path) in str(error.value) and words in str(error.value)


def test_the_command_line_goes_over_the_file(tmp_path: Path) -> None:
    path = written(tmp_path, GOOD)
    overrides = ["data.pairs=4", "views.mixup=false", "data.folders={there: 2}", "run.ema=1e-1"]
    config = read_config(path, overrides)
    assert config.data.pairs == 4 and config.data.folders == {"there": 2.0}
    assert not config.views.mixup and config.run.ema == 0.1
    with pytest.raises(ConfigError, match=r"command line, 'data.pars=4': unknown key 'pars'"):
        read_config(path, ["data.pars=4"])


def test_a_written_configuration_reads_back(tmp_path: Path) -> None:
    config = read_config(written(tmp_path, GOOD))
    assert read_config(written(tmp_path, config.as_yaml())) == config
    assert config.optimizer.lr == 0.01  # without a point, YAML takes it for text
