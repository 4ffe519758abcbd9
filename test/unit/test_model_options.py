"""Which model the commands run: prompts, masks, weights."""

from __future__ import annotations

import argparse
from types import SimpleNamespace

import pytest

import masa_core
from masa_core.commands import CommandError, options
from masa_core.commands.options import add_pipeline_options, load_pipeline
from masa_core.tracking import TrackerConfig


class Fake:
    """Any model; keeps how it was asked for."""

    classes = ("object",)
    has_detector = True

    def __init__(self, name, **options):
        self.name, self.options = name, options
        self.has_masks = name.startswith("sam_")
        self.has_proposals = name.startswith("masa_")
        if name == "masa_gdino":
            self.set_prompt = lambda prompt: setattr(self, "prompt", prompt)

    def detect_objects(self, features):
        return f"objects in {features}"


@pytest.fixture(autouse=True)
def fake_models(monkeypatch):
    monkeypatch.setattr(masa_core, "load_model", lambda name, **options: Fake(name, **options))


def load(*arguments, detects=True):
    parser = argparse.ArgumentParser()
    add_pipeline_options(parser)
    config = TrackerConfig.preset("masa_tao")
    return load_pipeline(parser.parse_args(arguments), config, detects)


def test_masks_may_come_from_another_model():
    pipeline = load("--masks", "sam_vitb", "--random-weights")
    assert pipeline.model.name == "nanodet_masa" and "weights" not in pipeline.model.options
    assert pipeline.mask_model.name == "sam_vitb"
    assert pipeline.mask_model.options["random_weights"]


def test_a_prompt_and_a_folder_of_weights_reach_the_model():
    model = load("--model", "masa_gdino", "--prompt", "person, car", "--weights", "w").model
    assert model.prompt == "person, car"
    assert model.options["weights"] == "w" and not model.options["random_weights"]


def test_the_distilled_head_takes_the_place_of_the_models_detector():
    pipeline = load("--model", "masa_detic", "--detector", "proposals", "--classes", "object")
    assert pipeline.classes == ("object",) and pipeline.labels == [0]
    assert pipeline.model.name == "masa_detic" and pipeline.model.detect("x") == "objects in x"


def test_a_detector_and_its_prompt_take_the_place_of_the_models(monkeypatch):
    def load_detector(*arguments):
        return SimpleNamespace(classes=("bus", "dog"), arguments=arguments)

    monkeypatch.setattr(options, "load_detector", load_detector)
    pipeline = load("--detector", "a/b", "--prompt", "bus, dog", "--classes", "dog")
    assert pipeline.detector.arguments == ("a/b", "cpu", "bus, dog")
    assert pipeline.classes == ("bus", "dog") and pipeline.labels == [1]
    with pytest.raises(CommandError, match="did you mean 'dog'"):
        load("--detector", "a/b", "--classes", "dgo")
    with pytest.raises(CommandError, match="name one of them"):
        load("--detector", "a/b", detects=False)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "sam_vitb"], "name it with --masks"),
        (["--random-weights"], "are for torch models"),
        (["--prompt", "car"], "masa_gdino does"),
        (["--everything"], "masa_sam_vitb"),
        (["--masks", "masa_r50"], "gives no masks"),
        (["--model", "mobile_sam"], "name it with --masks"),
        (["--detector", "proposals", "--prompt", "car", "--model", "masa_r50"], "masa_gdino does"),
        (["--everything", "--detector", "proposals"], "name no --detector"),
        (["--vocabulary", "classes.npy"], "--model masa_detic"),
    ],
)
def test_what_cannot_be_is_refused(arguments, message):
    with pytest.raises(CommandError, match=message):
        load(*arguments)
