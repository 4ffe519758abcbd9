"""Which model the commands run: prompts, masks, weights."""

from __future__ import annotations

import argparse

import pytest

import masa_core
from masa_core.commands import CommandError
from masa_core.commands.options import add_pipeline_options, load_pipeline
from masa_core.tracking import TrackerConfig


class Fake:
    """Any model; keeps how it was asked for."""

    classes = ("object",)
    has_detector = True

    def __init__(self, name, **options):
        self.name, self.options = name, options
        self.has_masks = name.startswith("sam_")
        if name == "masa_gdino":
            self.set_prompt = lambda prompt: setattr(self, "prompt", prompt)


@pytest.fixture(autouse=True)
def fake_models(monkeypatch):
    monkeypatch.setattr(masa_core, "load_model", lambda name, **options: Fake(name, **options))


def load(*arguments):
    parser = argparse.ArgumentParser()
    add_pipeline_options(parser)
    return load_pipeline(parser.parse_args(arguments), TrackerConfig.preset("masa_tao"))


def test_masks_may_come_from_another_model():
    pipeline = load("--masks", "sam_vitb", "--random-weights")
    assert pipeline.model.name == "nanodet_masa" and "weights" not in pipeline.model.options
    assert pipeline.mask_model.name == "sam_vitb"
    assert pipeline.mask_model.options["random_weights"]


def test_a_prompt_and_a_folder_of_weights_reach_the_model():
    model = load("--model", "masa_gdino", "--prompt", "person, car", "--weights", "w").model
    assert model.prompt == "person, car"
    assert model.options["weights"] == "w" and not model.options["random_weights"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "sam_vitb"], "name it with --masks"),
        (["--random-weights"], "are for torch models"),
        (["--prompt", "car"], "masa_gdino does"),
        (["--everything"], "masa_sam_vitb"),
        (["--masks", "masa_r50"], "gives no masks"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(CommandError, match=message):
        load(*arguments)
