"""What holds for every protocol, whatever the scene."""

from __future__ import annotations

import math
import random
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from masa_core.evaluation import evaluate, figure_rows

from .scenes import WRITERS, Box, Scene, random_scene

pytest.importorskip("trackeval")
pytest.importorskip("pycocotools")

PERFECT = {
    "mot": {"HOTA": 100, "MOTA": 100, "IDF1": 100, "IDSW": 0},
    "kitti": {"MOTA_car": 100, "IDF1_pedestrian": 100},
    "bdd_mot": {"MOTA": 100, "IDF1": 100, "HOTA": 100, "TETA": 100, "IDSw": 0},
    "tao": {"TrackAP50": 1, "TrackAP75": 1, "HOTA": 100, "TETA": 100},
    "ovmot": {"TETA": 100, "LocA": 100, "AssocA": 100, "ClsA": 100},
    "ytvis": {"AP": 1, "AP50": 1, "AR100": 1},
    "uvo": {"AP": 1, "AR100": 1},
}
seeds = st.integers(0, 10**6)
some = settings(max_examples=12)


def score(scene: Scene, protocol: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as folder:
        return evaluate(*WRITERS[protocol](scene, Path(folder)), protocol)


def has_both_classes(scene: Scene) -> bool:
    found = {box.label for video in scene.truth.values() for frame in video for box in frame}
    return len(found) == 2


def figures(report: dict[str, Any]) -> dict[str, float]:
    return {row["figure"]: row["value"] for row in figure_rows(report)}


def assert_same(first: dict[str, float], second: dict[str, float]) -> None:
    for name, value in first.items():
        same = math.isnan(value) and math.isnan(second[name])
        assert same or value == pytest.approx(second[name], abs=1e-9), name


@pytest.mark.parametrize("protocol", WRITERS)
@some
@given(seeds)
def test_the_truth_itself_is_perfect(protocol: str, seed: int) -> None:
    scene = random_scene(seed)
    if has_both_classes(scene):
        report = score(Scene(scene.truth, scene.truth), protocol)
        for name, value in PERFECT[protocol].items():
            assert report[name] == pytest.approx(value, abs=1e-9), name


@pytest.mark.parametrize("protocol", WRITERS)
@some
@given(seeds)
def test_names_of_ids_do_not_matter(protocol: str, seed: int) -> None:
    scene = random_scene(seed)
    if not has_both_classes(scene):
        return
    names = random.Random(seed).sample(range(1, 900), 60)
    renamed = scene.map_results(
        lambda frame: [replace(box, track=names[box.track]) for box in frame]
    )
    assert_same(figures(score(scene, protocol)), figures(score(renamed, protocol)))


@pytest.mark.parametrize("protocol", WRITERS)
@some
@given(seeds)
def test_the_order_of_rows_does_not_matter(protocol: str, seed: int) -> None:
    scene = random_scene(seed)
    if not has_both_classes(scene):
        return
    shuffled = scene.map_results(lambda frame: frame[::-1])
    first, second = score(scene, protocol), score(shuffled, protocol)
    # at overlap 0 TETA matches pairs that do not overlap at all: which ones is up to the order
    at_zero = {"TETA", "AssocA", "AssocRe", "AssocPr", "mTETA", "mAssocA"}
    kept = {name: value for name, value in figures(first).items() if name not in at_zero}
    assert_same(kept, figures(second))
    for name, fields in first.get("raw", {}).get("TETA", {}).items():
        other = second["raw"]["TETA"][name]
        assert fields["AssocA"][1:] == pytest.approx(other["AssocA"][1:], abs=1e-9)


@pytest.mark.parametrize("protocol", WRITERS)
@some
@given(seeds)
def test_no_results_score_nothing(protocol: str, seed: int) -> None:
    scene = random_scene(seed)
    if has_both_classes(scene):
        report = score(scene.map_results(lambda frame: []), protocol)
        for name in PERFECT[protocol]:
            assert report[name] == 0, name


@pytest.mark.parametrize("protocol", WRITERS)
@some
@given(seeds)
def test_a_class_that_is_never_found(protocol: str, seed: int) -> None:
    scene = random_scene(seed)
    if not has_both_classes(scene):
        return
    only_cars = scene.map_results(lambda frame: [box for box in frame if box.label == "car"])
    report = score(only_cars, protocol)
    if protocol in ("bdd_mot", "tao", "ovmot"):
        assert report["per_class"]["TETA"]["pedestrian"]["ClsA"] == 0
    if protocol == "bdd_mot":
        assert report["per_class"]["CLEAR"]["pedestrian"]["MOTA"] == 0
        assert report["per_class"]["HOTA"]["pedestrian"]["HOTA"] == 0
    if protocol == "kitti":
        assert report["HOTA_pedestrian"] == 0
    if protocol == "ytvis":
        assert report["per_class_AP"]["1"] == 0


def test_a_class_without_truth_counts_as_zero_for_bdd100k() -> None:
    car = Box(1, "car", 10, 10, 30, 40)
    scene = Scene({"0000": [[car]]}, {"0000": [[car, Box(2, "bus", 90, 10, 30, 40)]]})
    report = score(scene, "bdd_mot")
    assert report["per_class"]["CLEAR"]["bus"]["MOTA"] == -math.inf
    assert math.isnan(report["per_class"]["CLEAR"]["rider"]["MOTA"])
    assert report["mMOTA"] == report["mHOTA"] == 100 / 8
    assert report["mLocA"] == 100  # TETA leaves a class without truth out
    assert report["MOTA"] == 0


@pytest.mark.parametrize("protocol", ["mot", "kitti", "bdd_mot"])
def test_no_truth_and_no_results(protocol: str) -> None:
    report = score(Scene({"0000": [[], []]}, {"0000": [[], []]}), protocol)
    assert all(value <= 100 for value in figures(report).values() if not math.isnan(value))


@pytest.mark.parametrize("protocol", ["tao", "ovmot"])
def test_tao_without_truth_has_no_class_to_score(protocol: str) -> None:
    with pytest.raises(ValueError, match="no boxes"):
        score(Scene({"0000": [[]]}, {"0000": [[]]}), protocol)


@pytest.mark.parametrize("protocol", WRITERS)
def test_each_figure_has_its_settings(protocol: str) -> None:
    rows = figure_rows(score(random_scene(1), protocol))
    assert len(rows) >= 8
    assert all(row["protocol"] == protocol and row["settings"]["evaluator"] for row in rows)
