"""The node's parameters: declared once, checked with reasons, written to config/tracker.yaml."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from masa_core.tracking import TrackerConfig
from masa_core.tracking.presets import DEFAULT_PRESET, PRESETS
from masa_ros.parameter_file import as_yaml
from masa_ros.parameters import check_all, parameters, settings_of, tracker_config_of

CONFIG = Path(__file__).parents[2] / "config" / "tracker.yaml"


def flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Names as ROS makes them of nested keys."""
    found: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{key}.")
        else:
            found[prefix + key] = value
    return found


def test_the_shipped_file_is_the_one_that_is_written() -> None:
    assert CONFIG.read_text() == as_yaml(), "run python3 -m masa_ros.parameter_file"


def test_the_shipped_file_holds_every_parameter_with_its_default_and_a_comment() -> None:
    written = flat(yaml.safe_load(CONFIG.read_text())["/**"]["ros__parameters"])
    assert check_all(written) == check_all({})
    assert list(written) == list(parameters(DEFAULT_PRESET))
    lines = CONFIG.read_text().splitlines()
    for number, line in enumerate(lines):
        if line.startswith("    ") and ":" in line and not line.strip().startswith("#"):
            assert lines[number - 1].strip().startswith("#"), line


@pytest.mark.parametrize("preset", PRESETS)
def test_every_field_of_a_preset_is_a_parameter(preset: str) -> None:
    values = check_all({"tracker.preset": preset})
    config = TrackerConfig.preset(preset)
    assert tracker_config_of(values) == config
    for spec in fields(config):
        declared = parameters(preset)[f"tracker.{spec.name}"]
        assert declared.text == spec.metadata["help"] and not declared.read_only
        assert (declared.low, declared.high) == (spec.metadata["low"], spec.metadata["high"])


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("tracker.init_score_th", 0.5, "unknown parameter tracker.init_score_th; did you mean"),
        ("queue_sise", 3, "did you mean 'queue_size'"),
        ("tracker.nms_conf_thr", 0.5, "belongs to tracker.preset masa_bdd, not to masa_plus"),
        ("tracker.init_score_thr", 1.5, r"tracker.init_score_thr is 1.5, must be in 0.0..1.0"),
        ("tracker.init_score_thr", float("nan"), "must be in 0.0..1.0"),
        ("tracker.init_score_thr", "high", "is 'high', must be a number"),
        ("tracker.preset", "masa_tow", "must be one of masa_plus, masa_tao, masa_bdd"),
        ("queue_size", 0, r"must be in 1..100"),
        ("queue_size", 2.0, "must be a whole number"),
        ("autostart", "yes", "must be true or false"),
        ("detector", "tpic", "must be one of bundle, proposals, topic, a folder or OWNER/NAME"),
        ("classes", "car", "must be a list of texts"),
    ],
)
def test_what_is_wrong_is_told(name: str, value: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        check_all({name: value})


@pytest.mark.parametrize("name", ["topic", "./rtdetr", "IDEA-Research/grounding-dino-base"])
def test_a_detector_is_a_word_or_a_path(name: str) -> None:
    assert settings_of(check_all({"detector": name})).detector == name


def test_all_that_is_wrong_is_told_at_once() -> None:
    with pytest.raises(ValueError) as raised:
        check_all({"queue_sise": 3, "detector": "x", "tracker.init_score_thr": -1.0})
    assert len(str(raised.value).splitlines()) == 3


def test_a_whole_number_may_stand_for_a_decimal_one() -> None:
    value = check_all({"tracker.init_score_thr": 1})["tracker.init_score_thr"]
    assert value == 1.0 and isinstance(value, float)


def test_empty_names_count_for_nothing() -> None:
    assert settings_of(check_all({})).cameras == ()
    assert settings_of(check_all({"classes": ["", "car"]})).classes == ("car",)


@pytest.mark.parametrize("cameras", [["front", "front"], ["left/rear"], ["1st"], ["a b"]])
def test_cameras_must_fit_into_topic_names(cameras: list[str]) -> None:
    with pytest.raises(ValueError, match="parameter cameras names"):
        settings_of(check_all({"cameras": cameras}))
