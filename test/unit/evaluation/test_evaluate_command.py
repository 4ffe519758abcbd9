"""`masa evaluate`, and the settings of protocols."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from masa_core.cli import main
from masa_core.evaluation import PROTOCOLS, evaluate, protocol_settings

from .scenes import Box, Scene, random_scene, write_mot, write_scalabel, write_vis

pytest.importorskip("trackeval")


def test_figures_stand_under_protocol_and_settings(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth, results = write_mot(random_scene(1), tmp_path)
    out = tmp_path / "report.json"
    settings = ["--set", "benchmark=MOT20", "preprocess=false", "sequences=0000"]
    assert main(["evaluate", "mot", str(truth), str(results), *settings, "--out", str(out)]) == 0
    shown = capsys.readouterr().out
    assert shown.startswith("protocol mot\n\nHOTA\n  evaluator: TrackEval 1.3.0; ")
    assert "preprocessing: MOT20, off" in shown
    report = json.loads(out.read_text())
    expected = evaluate(
        truth, results, "mot", benchmark="MOT20", preprocess=False, sequences=["0000"]
    )
    assert report["HOTA"] == expected["HOTA"]
    assert (report["protocol"], report["truth"]) == ("mot", str(truth))


def test_nan_and_infinities_are_written(tmp_path: Path) -> None:
    scene = Scene({"0000": [[]]}, {"0000": [[Box(1, "car", 1, 1, 30, 40)]]})
    truth, results = write_scalabel(scene, tmp_path)
    out = tmp_path / "report.json"
    assert main(["evaluate", "bdd_mot", str(truth), str(results), "--out", str(out)]) == 0
    clear = json.loads(out.read_text())["per_class"]["CLEAR"]
    assert (clear["car"]["MOTA"], clear["bus"]["MOTA"]) == ("-inf", None)


def test_warnings_are_shown_and_kept(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    box = Box(1, "tree", 1, 1, 30, 40)
    truth, results = write_scalabel(Scene({"0000": [[]]}, {"0000": [[box]]}), tmp_path)
    out = tmp_path / "report.json"
    assert main(["evaluate", "bdd_mot", str(truth), str(results), "--out", str(out)]) == 0
    assert "warning: " in capsys.readouterr().err
    assert "1 of tree" in json.loads(out.read_text())["warnings"][0]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (["benchmark=MOT21"], "unknown benchmark 'MOT21'; did you mean 'MOT20'?"),
        (["benchmrak=MOT20"], "no setting 'benchmrak'; did you mean 'benchmark'?"),
        (["preprocess=yes"], "preprocess is true or false"),
        (["iou_threshold=half"], "iou_threshold is a number"),
        (["iou_threshold=1.5"], "iou_threshold is 1.5, must be a number from 0 to 1"),
        (["sequences=0009"], "unknown sequence '0009'"),
        (["sequences="], "sequences is [], must be a list of names, none of them twice"),
        (["sequences=0000,0000"], "none of them twice"),
        (["preprocess"], "write it as NAME=VALUE"),
        (["evaluator=devkit"], "unknown evaluator 'devkit'"),
    ],
)
def test_settings_that_are_not(
    settings: list[str], reason: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    truth, results = write_mot(random_scene(1), tmp_path)
    assert main(["evaluate", "mot", str(truth), str(results), "--set", *settings]) == 1
    assert reason in capsys.readouterr().err


def test_a_file_that_is_not_there(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = str(tmp_path / "nothing.json")
    assert main(["evaluate", "tao", missing, missing]) == 1
    assert "nothing.json is not there" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("protocol", "settings", "reason"),
    [
        ("mot", {"preprocess": "no"}, "preprocess is 'no', must be true or false"),
        ("mot", {"benchmark": None}, "benchmark is None, must be a text"),
        ("mot", {"iou_threshold": float("nan")}, "iou_threshold is nan, must be a number from 0"),
        ("bdd_mot", {"families": "CLEAR"}, "families is 'CLEAR', must be a list"),
        ("tao", {"track_map_max_detections": -1}, "must be a whole number from 0 on"),
    ],
)
def test_settings_of_another_kind(
    protocol: str, settings: dict[str, object], reason: str, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match=reason):
        evaluate(tmp_path, tmp_path, protocol, **settings)


def test_trackeval_wants_more_of_tracks_than_the_api(tmp_path: Path) -> None:
    truth, results = write_vis(random_scene(1), tmp_path)
    with pytest.raises(ValueError, match=r"truth.json: annotations\[0\]: has no 'height'"):
        evaluate(truth, results, "ytvis", evaluator="trackeval")


def test_unknown_protocols_are_told() -> None:
    with pytest.raises(ValueError, match="unknown protocol 'bdd'; did you mean 'bdd_mot"):
        evaluate("a", "b", "bdd")


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_protocol_has_settings_with_defaults(protocol: str) -> None:
    assert protocol_settings(protocol)


def test_importing_evaluation_is_cheap() -> None:
    code = (
        "import sys, masa_core.evaluation, masa_core.commands.evaluate; "
        "heavy = {'scipy', 'trackeval', 'pycocotools', 'cv2', 'torch', 'onnxruntime', 'rosbags'}; "
        "sys.exit(str(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
