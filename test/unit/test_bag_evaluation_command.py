"""`masa evaluate-bag`, as a user runs it. The model is a fake; the rest is real."""

from __future__ import annotations

import base64
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import cv2
import numpy as np
import pytest
from bag_drives import CAMERA_NS, stamped, truth_frames, write_drive, write_json
from fakes import START_NS, BagMaker, ColourModel, picture

import masa_core
from masa_core import cli
from masa_core.evaluation.bag import thumbnails
from masa_core.runtime import load
from masa_core.runtime.bundle import sha256

pytest.importorskip("trackeval")

FRAMES = 60
ARGUMENTS = ("drive", "--truth", "truth.json", "--tracker", "masa_tao", "--output", "out")


@pytest.fixture(autouse=True)
def drive(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A drive and its truth in the current folder: objects 0 and 1 change their places in the
    tenth of twelve labelled frames, which looks as if two tracks were switched."""

    def fake(*args, **options):
        return ColourModel()

    monkeypatch.setattr(masa_core, "load_model", fake, raising=False)
    monkeypatch.setattr(load, "load_model", fake)
    monkeypatch.chdir(tmp_path)
    write_drive(Path("drive"), FRAMES)
    frames = stamped(truth_frames(FRAMES, every=5), every=5)
    for frame in frames[9:]:
        first, second = frame["labels"][:2]
        first["box2d"], second["box2d"] = second["box2d"], first["box2d"]
    write_json(Path("truth.json"), frames)


def evaluate_bag(*arguments: str) -> int:
    return cli.main(["evaluate-bag", *ARGUMENTS, *arguments])


def figures(folder: str = "out") -> dict:
    return json.loads(Path(folder, "figures.json").read_text())


def test_figures_say_what_they_are_and_what_they_were_made_from():
    assert evaluate_bag() == 0
    report = figures()
    everything = report["figures"]["all_objects"]["figures"]
    assert (everything["CLEAR"]["IDSw"], everything["CLEAR"]["FN"]) == (2, 0)
    assert everything["HOTA"]["DetA"] == pytest.approx(100, abs=0.01)
    assert report["figures"]["bdd_mot"]["protocol"] == "bdd_mot"
    families = report["figures"]["bdd_mot"]["figures"]
    assert set(families) == {"CLEAR", "HOTA", "TETA"}
    assert report["events"] == {"objects": 3, "switches": 2, "fragments": 0}
    assert report["frames"]["scored"] == 12 and report["drive"]["images"] == FRAMES
    assert report["configuration"]["tracker"] == "masa_tao"
    assert report["configuration"]["parameters"]["init_score_thr"] == 0.8
    assert report["sha256"]["truth"] == sha256(Path("truth.json"))
    assert report["sha256"]["bag"] == sha256(Path("drive/drive.mcap"))
    assert len(report["sha256"]["model"]) == 64


def test_the_written_files_give_the_same_figures(capsys):
    truth = json.loads(Path("truth.json").read_text())
    for frame in truth:
        frame["labels"] = frame["labels"][:2]  # no dogs
    write_json(Path("truth.json"), truth)
    assert evaluate_bag() == 0
    capsys.readouterr()
    command = ["evaluate", "bdd_mot", "out/truth.json", "out/results.json", "--out", "again.json"]
    assert cli.main(command) == 0
    again = json.loads(Path("again.json").read_text())
    for family, values in figures()["figures"]["bdd_mot"]["figures"].items():
        assert values == {name: again[name] for name in again["families"][family]}


def test_the_same_input_gives_the_same_figures():
    assert evaluate_bag() == evaluate_bag("--output", "again") == 0
    first, second = figures(), figures("again")
    first.pop("speed"), second.pop("speed")
    assert first == second
    results = [Path(folder, "results.json").read_bytes() for folder in ("out", "again")]
    assert results[0] == results[1]


def test_a_run_that_is_worse_than_before_is_told_by_its_exit_code(capsys):
    assert evaluate_bag() == 0
    before = figures()
    assert evaluate_bag("--baseline", "out/figures.json") == 0
    assert "HOTA has not fallen" in capsys.readouterr().out
    worse = ("--baseline", "out/figures.json", "--classes", "car", "--output", "worse")
    assert evaluate_bag(*worse) == 3
    after = figures("worse")
    lost = [r["figures"]["bdd_mot"]["figures"]["HOTA"]["HOTA"] for r in (before, after)]
    assert lost[1] < lost[0] - 0.5
    assert f"fell from {lost[0]:.2f} to {lost[1]:.2f}" in capsys.readouterr().out
    page = Path("worse/report.html").read_text()
    assert 'class="verdict worse"' in page and "classes" in page and "all → " in page
    assert evaluate_bag(*worse, "--tolerance", "100") == 0


def test_a_baseline_of_another_drive_is_refused_before_any_work(capsys, monkeypatch):
    assert evaluate_bag() == 0
    report = figures()
    report["sha256"]["bag"] = "0" * 64
    write_json(Path("other.json"), report)
    monkeypatch.setattr(load, "load_model", None)
    assert evaluate_bag("--baseline", "other.json") == 1
    assert "was made from another bag" in capsys.readouterr().err
    assert evaluate_bag("--baseline", "truth.json") == 1
    assert "is no figures.json of format 1" in capsys.readouterr().err


def test_losses_are_told(capsys):
    write_drive(Path("gaps"), FRAMES, skip=tuple(range(20, 41)))
    arguments = ["evaluate-bag", "gaps", "--truth", "truth.json", "--output", "out"]
    assert cli.main([*arguments, "--tracker", "masa_tao", "--classes", "car", "dog"]) == 0
    printed = capsys.readouterr().out
    assert "scored 7 of 12 labelled frames, 39 images" in printed
    assert "5 of 12 labelled frames have no image within 16.7 ms" in printed
    assert "20.jpg at 0.667 s" in printed
    assert figures()["losses"][0] in printed.replace("  ", "")


def test_an_image_without_detections_is_an_empty_result(capsys):
    with BagMaker(Path("detected")) as bag:
        types = bag.store.types
        array, row = types["masa_ros/msg/DetectionArray"], types["masa_ros/msg/Detection"]
        mask = types["masa_ros/msg/Mask"](0, 0, 0, 0, np.zeros(0, np.uint8))
        for index in range(FRAMES):
            stamp_ns = START_NS + index * CAMERA_NS
            bag.image("/camera", stamp_ns, picture(index))
            if index == 30:
                continue
            box = [2 + index % 82, 4, 14 + index % 82, 16]
            found = [row("car", 0, 0.9, *map(float, box), mask)]
            bag.write("/detections", array(bag.header(stamp_ns), found), stamp_ns)
    arguments = ["evaluate-bag", "detected", "--truth", "truth.json", "--output", "out"]
    assert cli.main([*arguments, "--detections", "/detections", "--tracker", "masa_tao"]) == 0
    report = figures()
    assert report["frames"]["answered"] == 11
    assert any("no detections" in loss for loss in report["losses"])
    # of the car's 12 labels: one image had no detections, and it is elsewhere from the tenth on
    assert report["figures"]["bdd_mot"]["per_class"]["CLEAR"]["car"]["FN"] == 1 + 3


class Page(HTMLParser):
    """Checks that every element is closed in order, and keeps what would load other files."""

    VOID = ("meta", "img", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.sources: list[str] = []
        self.marks = 0
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attributes):
        if tag not in self.VOID:
            self.open.append(tag)
        for name, value in attributes:
            if name in ("src", "href", "srcset", "data", "action"):
                self.sources.append(value)
        self.marks += ("class", "switch-mark") in attributes

    def handle_startendtag(self, tag, attributes):
        pass  # such as <rect .../>

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_no_other_file():
    assert evaluate_bag() == 0
    text = Path("out/report.html").read_text()
    page = Page(text)
    assert page.marks == figures()["events"]["switches"] == 2
    assert len(page.sources) == 4  # two pictures of each switch
    assert all(source.startswith("data:image/jpeg;base64,") for source in page.sources)
    assert not re.search(r"https?:|url\(|@import|<script", text)
    for source in page.sources:
        jpeg = np.frombuffer(base64.b64decode(source.partition(",")[2]), np.uint8)
        assert cv2.imdecode(jpeg, cv2.IMREAD_COLOR).shape == (225, 300, 3)


def test_names_in_the_truth_cannot_write_the_page():
    text = Path("truth.json").read_text()
    bad = "<script>alert(1)</script>"
    Path("truth.json").write_text(text.replace('"dog"', json.dumps(bad)))
    assert evaluate_bag("--rename", f"dog={bad}") == 0
    page = Path("out/report.html").read_text()
    assert "<script" not in page and "&lt;script&gt;" in page


def test_a_picture_shows_the_moment_it_is_of():
    assert evaluate_bag() == 0
    text = Path("out/report.html").read_text()
    sources = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', text)
    before, after = (
        cv2.imdecode(np.frombuffer(base64.b64decode(source), np.uint8), cv2.IMREAD_COLOR)
        for source in sources[:2]
    )
    centre = slice(105, 121), slice(142, 158)  # the object is in the middle
    colours = [image[centre].reshape(-1, 3).mean(axis=0).argmax() for image in (before, after)]
    assert sorted(colours) == [1, 2]  # of object 0 or 1: red and green change places


def test_only_the_shown_frames_are_decoded_for_pictures(monkeypatch):
    decoded = []
    plain = thumbnails.DECODERS["sensor_msgs/msg/Image"]

    def counting(message):
        decoded.append(message)
        return plain(message)

    monkeypatch.setattr(thumbnails, "DECODERS", {"sensor_msgs/msg/Image": counting})
    assert evaluate_bag() == 0
    assert len(decoded) == 2  # both switches are between the same two frames


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["drive"], "drive holds no truth.json: name the truth with --truth"),
        (["drive", "--truth", "nowhere.json"], "nowhere.json: there is no such file"),
        (["drive", "--truth", "/truth"], "has no truth on '/truth'; it has no masa_ros/TrackArray"),
        (["drive", "--truth", "truth.json", "--topic", "/cam"], "did you mean '/camera'"),
        (["drive", "--truth", "truth.json", "--set", "memory=3"], "has no parameter 'memory'"),
        (["drive", "--truth", "truth.json", "--rename", "dog"], "write it as NAME=CLASS"),
        (["drive", "--truth", "truth.json", "--running"], "--running needs --live"),
        (["nowhere", "--truth", "truth.json"], "nowhere does not exist"),
    ],
)
def test_errors_are_for_people(capsys, arguments, reason):
    assert cli.main(["evaluate-bag", *arguments]) == 1
    told = capsys.readouterr().err
    assert reason in told and told.count("\n") == 1
    assert not Path("drive.evaluation/figures.json").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [("--tolerance", "nan"), ("--truth-offset", "inf"), ("--match-within", "-1")],
)
def test_numbers_that_mean_nothing_are_wrong_usage(capsys, option, value):
    """No fall of HOTA is larger than a tolerance of nan."""
    with pytest.raises(SystemExit) as caught:
        cli.main(["evaluate-bag", "drive", "--truth", "truth.json", option, value])
    assert caught.value.code == 2 and f"argument {option}" in capsys.readouterr().err


def test_the_truth_in_the_folder_of_the_bag_is_the_default():
    Path("truth.json").rename("drive/truth.json")
    assert cli.main(["evaluate-bag", "drive", "--tracker", "masa_tao"]) == 0
    assert figures("drive.evaluation")["frames"]["scored"] == 12
