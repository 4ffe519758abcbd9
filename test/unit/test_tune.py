"""`masa tune`: spaces of parameters, cached bags, and a search that shows over-tuning."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field, fields
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml
from bag_drives import CAMERA_NS, stamped, truth_frames, write_drive, write_json
from fakes import START_NS, BagMaker, ColourModel
from hypothesis import given
from hypothesis import strategies as st

import masa_core
from masa_core import cli
from masa_core.evaluation import FormatError
from masa_core.evaluation.tuning import cache
from masa_core.evaluation.tuning.cache import CacheWriter, read_classes, read_frames
from masa_core.evaluation.tuning.outcome import BagOutcome, Outcome, write_outcome
from masa_core.evaluation.tuning.space import Range, Space, read_space, whole_space
from masa_core.runtime import load
from masa_core.structures import Detections
from masa_core.tracking import TrackerConfig
from masa_core.tracking.presets import PRESETS
from masa_ros.parameters import check_all


def space_file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "space.yaml"
    path.write_text(text)
    return path


def test_a_range_comes_from_the_parameter_itself(tmp_path):
    space = read_space(
        space_file(
            tmp_path,
            """
            tracker: masa_plus
            parameters:
              init_score_thr:
              memory_s:
              confirm_hits:
              use_motion:
              coast_s: {high: 1}
              match_evidence_thr: {low: -2, high: 2}
            fixed: {embedding_momentum: 0.5}
            """,
        )
    )
    assert space.ranges == {
        "init_score_thr": Range(0.0, 1.0),
        "memory_s": Range(3.0, 300.0, log=True),  # its 0..3600 is not searched evenly
        "confirm_hits": Range(1, 20, whole=True, log=True),
        "use_motion": Range(choices=(False, True)),
        "coast_s": Range(0.02, 1, log=True),
        "match_evidence_thr": Range(-2, 2),
    }
    assert space.defaults["confirm_hits"] == 2
    assert space.config({"coast_s": 0.5}).embedding_momentum == 0.5


@pytest.mark.parametrize("preset", sorted(PRESETS))
@given(share=st.floats(0, 1))
def test_every_value_of_a_whole_space_is_allowed(preset, share):
    space = whole_space(preset, {})
    assert list(space.ranges) == [spec.name for spec in fields(PRESETS[preset])]
    values = {}
    for name, limits in space.ranges.items():
        if limits.choices:
            values[name] = limits.choices[int(share * (len(limits.choices) - 1))]
            continue
        value = limits.low + share * (limits.high - limits.low)
        values[name] = round(value) if limits.whole else min(float(value), float(limits.high))
    space.config(values)  # raises where one is out of range
    assert space.config(space.defaults) == TrackerConfig.preset(preset)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("[", "not YAML"),
        ("just words", "must hold 'tracker', 'parameters' and 'fixed'"),
        ("params: {a: }", "unknown key 'params'; did you mean 'parameters'"),
        ("tracker: masa_plus", "names no parameters"),
        ("parameters: [a]", "parameters must hold names"),
        ("tracker: masa\nparameters: {coast_s: }", "unknown tracker 'masa'"),
        ("parameters: {cost_s: }", "no parameter 'cost_s'; did you mean 'coast_s'"),
        ("parameters: {coast_s: }\nfixed: {coast_s: 1}", "coast_s is both tuned and fixed"),
        ("parameters: {coast_s: {low: 2, high: 1}}", "low must be below high"),
        ("parameters: {coast_s: {low: 0, high: 1, log: true}}", "above 0 with log"),
        ("parameters: {coast_s: {low: 0, high: 99}}", "coast_s is 99, must be in 0.0..60.0"),
        ("parameters: {coast_s: {low: soon}}", "'soon' is not a number"),
        ("parameters: {coast_s: {min: 1}}", "unknown key 'min'"),
        ("parameters: {coast_s: 3}", "coast_s needs low, high and log"),
        ("parameters: {use_motion: {low: 0}}", "use_motion has no range: name choices"),
        ("parameters: {use_motion: {choices: [maybe]}}", "must be true or false"),
        ("parameters: {use_motion: {choices: true}}", "choices must be a list"),
        ("parameters: {coast_s: }\nfixed: {confirm_hits: 0}", "confirm_hits is 0"),
    ],
)
def test_a_wrong_space_is_told_with_its_parameter(tmp_path, text, reason):
    path = space_file(tmp_path, text)
    with pytest.raises(FormatError, match=reason) as raised:
        read_space(path)
    assert str(raised.value).startswith(str(path))


@given(st.lists(st.integers(0, 3), max_size=9), st.integers(1, 4))
def test_cached_frames_come_back_as_they_were(tmp_path_factory, counts, chunk):
    path = tmp_path_factory.mktemp("cache") / "bag.npz"
    random = np.random.default_rng(len(counts))
    written = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cache, "_FRAMES", chunk)
        writer = CacheWriter(path)
        for frame, count in enumerate(counts):
            boxes = random.random((count, 4)).astype(np.float32)
            found = Detections(boxes, random.random(count), random.integers(0, 5, count))
            looks = random.random((count, 7 if count else 0)).astype(np.float32)
            moved = random.random((2, 3))
            written.append((3 * frame, 10**18 + frame, found, looks, moved))
            writer.image = 3 * frame
            assert len(writer.update(found, looks, 10**18 + frame, moved)) == 0
        assert not path.exists()
        writer.close(["Straße", "b"])
    assert read_classes(path) == ["Straße", "b"]
    frames = list(read_frames(path))
    assert len(frames) == len(written)
    for frame, (image, stamp_ns, found, looks, moved) in zip(frames, written, strict=True):
        assert (frame.image, frame.stamp_ns) == (image, stamp_ns)
        assert np.array_equal(frame.camera_motion, moved)
        for name in ("boxes", "scores", "labels"):
            column, expected = getattr(frame.detections, name), getattr(found, name)
            assert column.dtype == expected.dtype and np.array_equal(column, expected)
        assert len(frame.embeddings) == len(looks)
        assert not len(looks) or np.array_equal(frame.embeddings, looks)


@dataclass
class FakeDrive:
    """A bag on which one value of init_score_thr is best."""

    name: str
    best: float
    sha256: dict = field(default_factory=lambda: {"bag": "a", "truth": "b", "model": "c"})
    calls: int = 0

    def score(self, config, objective) -> float:
        self.calls += 1
        return 100 - 100 * abs(config.init_score_thr - self.best)


SPACE = Space("masa_plus", {"init_score_thr": Range(0.0, 1.0)})


def search(path: Path, drives, space=SPACE, seed=0):
    pytest.importorskip("optuna")
    from masa_core.evaluation.tuning.search import Search

    return Search(drives, space, "HOTA", seed, path / "trials.journal")


def on() -> bool:
    return True


def test_the_search_begins_with_the_default_and_finds_better(tmp_path):
    made = search(tmp_path, [FakeDrive("a", 0.8)])
    first = made.run(["a"], 1, on)
    assert (first.values, first.score) == ({"init_score_thr": 0.5}, 70.0)
    found = made.run(["a"], 30, on)
    assert found.trials == 30 and found.score > 95


def test_the_same_seed_finds_the_same(tmp_path):
    found = []
    for name, seed in (("one", 3), ("two", 3), ("three", 4)):
        (tmp_path / name).mkdir()
        found.append(search(tmp_path / name, [FakeDrive("a", 0.8)], seed=seed).run(["a"], 15, on))
    assert found[0] == found[1] != found[2]


def test_a_stopped_search_goes_on_where_it_was(tmp_path):
    drive = FakeDrive("a", 0.8)
    assert search(tmp_path, [drive]).run(["a"], 20, lambda: False).trials == 1
    again = search(tmp_path, [drive])
    assert again.done(["a"]) == 1
    found = again.run(["a"], 20, on)
    assert found.trials == 20 and drive.calls == 20  # the first is not made again
    assert search(tmp_path, [FakeDrive("a", 0.1)]).run(["a"], 20, on) == found  # all are known


def test_a_journal_of_another_search_is_refused(tmp_path):
    from_a = FakeDrive("a", 0.8)
    search(tmp_path, [from_a]).run(["a"], 1, on)
    with pytest.raises(ValueError, match=r"^bags$"):
        search(tmp_path, [FakeDrive("a", 0.8, {"bag": "other"})]).done(["a"])
    other = Space("masa_plus", {"init_score_thr": Range(0.0, 0.9)})
    with pytest.raises(ValueError, match=r"^space$"):
        search(tmp_path, [from_a], other).done(["a"])


def outcome(bags, values=None) -> Outcome:
    values = {"init_score_thr": 0.7} if values is None else values
    return Outcome(SPACE, "HOTA", values, 9, bags, {"a": {"bag": "0"}}, 0)


@pytest.mark.parametrize(
    ("scores", "verdict"),
    [
        ([(50, 60, 48), (70, 72, 69)], r"\+6.00 .* -1.50 .*over-tuned, keep the default"),
        ([(50, 60, 55), (70, 72, 71)], r"\+6.00 .* \+3.00 .*expect the latter"),
        ([(50, 50, 48), (70, 70, 70)], "nothing better than the default was found"),
        ([(50, 60, None)], "cannot be told without leaving a bag out"),
    ],
)
def test_over_tuning_shows(scores, verdict):
    made = outcome([BagOutcome(f"bag{i}", *row) for i, row in enumerate(scores)])
    assert re.search(verdict, made.verdict)
    rows = made.as_text().splitlines()
    assert rows[1].split() == ["bag0", *("-" if s is None else f"{s:.2f}" for s in scores[0])]


def test_the_best_values_are_a_parameter_file_of_the_node(tmp_path):
    space = Space("masa_plus", SPACE.ranges, {"confirm_hits": 3})
    made = outcome([BagOutcome("a", 50, 60, None)])
    write_outcome(Outcome(space, *list(vars(made).values())[1:]), tmp_path)
    content = yaml.safe_load((tmp_path / "best.yaml").read_text())
    tracker = content["/**"]["ros__parameters"]["tracker"]
    accepted = check_all({f"tracker.{name}": value for name, value in tracker.items()})
    assert accepted["tracker.preset"] == "masa_plus"
    assert (accepted["tracker.init_score_thr"], accepted["tracker.confirm_hits"]) == (0.7, 3)
    report = json.loads((tmp_path / "tune.json").read_text())
    assert report["bags"]["a"] == {"default": 50, "tuned": 60, "left_out": None}


@pytest.fixture
def bags(monkeypatch, tmp_path):
    """Two drives with their truth inside, and a model that counts how often it is loaded."""
    pytest.importorskip("optuna")
    pytest.importorskip("trackeval")
    monkeypatch.chdir(tmp_path)
    loaded = []

    def fake(*args, **options):
        loaded.append(args)
        return ColourModel()

    monkeypatch.setattr(masa_core, "load_model", fake, raising=False)
    monkeypatch.setattr(load, "load_model", fake)
    for name, frames in (("one", 40), ("two", 30)):
        write_drive(Path(name), frames)
        write_json(Path(name, "truth.json"), stamped(truth_frames(frames)))
    Path("space.yaml").write_text("parameters: {init_score_thr: {low: 0.8, high: 1.0}}")
    return loaded


def tune(*arguments: str) -> int:
    return cli.main(["tune", "one", "two", "--space", "space.yaml", *arguments])


def test_a_trial_scores_what_evaluate_bag_scores(bags, capsys):
    assert tune("--trials", "2") == 0
    printed = capsys.readouterr().out
    tuned = json.loads(Path("tuning/tune.json").read_text())
    for name in ("one", "two"):
        assert cli.main(["evaluate-bag", name, "--set", "init_score_thr=0.8"]) == 0
        report = json.loads(Path(f"{name}.evaluation/figures.json").read_text())
        expected = report["figures"]["all_objects"]["figures"]["HOTA"]["HOTA"]
        assert expected > 50
        assert tuned["bags"][name]["default"] == pytest.approx(expected, abs=1e-9)
        assert tuned["sha256"][name] == report["sha256"]
    assert "bags that were left out" in printed and "left out" in printed.splitlines()[0]


def test_the_model_runs_once_for_each_bag(bags):
    assert tune("--trials", "2") == 0
    assert len(bags) == 2
    assert tune("--trials", "4") == 0
    assert len(bags) == 2
    assert json.loads(Path("tuning/tune.json").read_text())["trials"] == 4
    assert tune("--trials", "1", "--classes", "car", "--output", "other") == 0
    assert len(bags) == 4  # other boxes: another cache


def test_where_the_clock_goes_back_the_camera_has_not_moved(bags):
    scene = np.random.default_rng(0).integers(60, 200, (30, 60), np.uint8)
    scene = cv2.resize(scene, (720, 360), interpolation=cv2.INTER_CUBIC)[..., None].repeat(3, 2)
    with BagMaker(Path("three")) as bag:
        for index in range(40):
            stamp_ns = START_NS + index * CAMERA_NS - (index >= 35) * 5_000_000_000
            received_ns = START_NS + index * CAMERA_NS
            seen = scene[:, 6 * index :][:, :480].copy()
            bag.image("/camera", stamp_ns, seen, received_ns=received_ns)
    write_json(Path("three/truth.json"), stamped(truth_frames(30)))
    arguments = ["three", "two", "--space", "space.yaml", "--trials", "1"]
    assert cli.main(["tune", *arguments]) == 0
    (path,) = Path("tuning/cache").glob("three-*.npz")
    across = [frame.camera_motion[0, 2] for frame in read_frames(path)]
    assert across[0] == across[35] == 0
    assert across[1:35] + across[36:] == pytest.approx([-6] * 38, abs=0.5)


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["--truth", "a.json"], "--truth names 1 files for 2 bags"),
        (["--set", "coast_s=1"], "with --space, write it under 'fixed'"),
        (["--masks", "sam_vitb"], "masks do not change what is tuned"),
        (["--detections", "space.yaml"], "of several bags, name a topic"),
    ],
)
def test_errors_are_for_people(bags, capsys, arguments, reason):
    assert tune(*arguments) == 1
    told = capsys.readouterr().err
    assert reason in told and told.count("\n") == 1


def test_a_search_over_other_bags_does_not_go_on_in_the_same_folder(bags, capsys):
    assert tune("--trials", "1", "--no-leave-out") == 0
    Path("space.yaml").write_text("parameters: {init_score_thr: }")
    assert tune("--trials", "1") == 1
    assert "is of another search (other space)" in capsys.readouterr().err
