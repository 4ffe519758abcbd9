"""The learning rate at every step, and the average of the weights."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")

from training.config import read_config  # noqa: E402
from training.ema import Ema  # noqa: E402
from training.optimizer import build_optimizer, learning_rate  # noqa: E402

pytestmark = pytest.mark.torch
PUBLISHED = Path(__file__).parents[3] / "training" / "configs" / "masa_gdino.yaml"


def test_the_published_rate() -> None:
    """0.08 for 128 images (64 pairs); warm-up of 1000 steps; a tenth from epochs 8 and 11 on."""
    config, epoch = read_config(PUBLISHED), 3125
    steps = (0, 500, 1000, 8 * epoch - 1, 8 * epoch, 11 * epoch, 12 * epoch - 1)
    rates = [learning_rate(step, config) for step in steps]
    assert rates == pytest.approx([8e-5, 0.04004, 0.08, 0.08, 0.008, 0.0008, 0.0008])
    assert config.steps == 12 * epoch


def test_a_smaller_batch_has_a_smaller_rate() -> None:
    config = read_config(PUBLISHED, ["data.pairs=8"])
    assert config.steps_per_epoch == 25000
    assert learning_rate(2000, config) == pytest.approx(0.01)


def test_a_cosine_ends_at_nothing() -> None:
    config = read_config(PUBLISHED, ["schedule.kind=cosine", "schedule.warmup_steps=0"])
    rates = [learning_rate(step, config) for step in (0, config.steps // 2, config.steps - 1)]
    assert rates == pytest.approx([0.08, 0.04, 0], abs=1e-8)


def test_the_phase_of_the_track_head_has_a_rate_of_its_own() -> None:
    config = read_config(PUBLISHED.with_name("masa_sam_vitb.yaml"))
    assert learning_rate(12 * 3125, config) == pytest.approx(0.008)
    assert config.steps == 18 * 3125


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_the_optimizer_has_its_settings(kind: str) -> None:
    settings = replace(read_config(PUBLISHED).optimizer, kind=kind)
    (group,) = build_optimizer([torch.nn.Parameter(torch.zeros(2))], settings).param_groups
    assert group["weight_decay"] == 1e-4 and group.get("momentum", 0.9) == 0.9


def test_the_average_follows_and_changes_places() -> None:
    weight, counter = torch.nn.Parameter(torch.zeros(2)), torch.tensor(0)
    ema = Ema({"w": weight, "n": counter}, 0.9)
    with torch.no_grad():
        weight.fill_(1)
        counter.fill_(5)
    ema.update(0)  # decay 1 / 10
    assert ema.averages["w"].tolist() == pytest.approx([0.9, 0.9]) and ema.averages["n"] == 5
    ema.update(1000)
    assert ema.averages["w"].tolist() == pytest.approx([0.91, 0.91])
    with ema.in_place():
        assert weight.tolist() == pytest.approx([0.91, 0.91])
    assert weight.tolist() == [1, 1] and ema.averages["w"].tolist() == pytest.approx([0.91, 0.91])
