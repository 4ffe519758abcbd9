"""`masa`, as a user runs it. The model is a fake; the rest is real."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import (
    BagMaker,
    ColourModel,
    picture,
    png,
    write_bag,
    write_folder,
    write_video,
)

import masa_core
from masa_core import cli
from masa_core.io import open_source
from masa_core.io.bag import BagReader
from masa_core.io.track_messages import tracks_of
from masa_core.runtime import ModelError

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def fake_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(masa_core, "load_model", lambda *args, **options: ColourModel())
    monkeypatch.chdir(tmp_path)


def track(*arguments: str) -> int:
    """With the tracker whose every detection is a track at once."""
    return cli.main(["track", "--tracker", "masa_tao", *arguments])


def mot_rows(path: str | Path) -> np.ndarray:
    return np.loadtxt(path, delimiter=",", ndmin=2)


def test_a_folder_is_tracked_to_a_file_of_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    write_folder(Path("drive"), 8)
    assert track("drive") == 0
    rows = mot_rows("drive.mot.txt")
    assert len(rows) == 3 * 8 and set(rows[:, 1]) == {0, 1, 2}
    red = rows[rows[:, 1] == rows[0, 1]]
    assert np.array_equal(red[:, 0], np.arange(1, 9))
    for frame, left in zip(red[:, 0], red[:, 2], strict=True):
        row = (red[0, 3] - 4) // 20  # which square it is: they lie 20 px apart
        assert left == 2 + (frame - 1) * (row + 1)
    out = capsys.readouterr()
    table = dict(line.split(maxsplit=1) for line in out.out.splitlines() if line)
    assert (table["frames"], table["ids"]) == ("8", "3") and table["left"] == "out      0"
    assert "drive.mot.txt" in table["written"]
    assert out.err == ""  # no progress bar: nobody is at the terminal


def test_all_outputs_say_the_same(tmp_path: Path) -> None:
    write_bag(tmp_path / "drive", 6)
    options = ["--mot", "o.txt", "--scalabel", "o.json", "--bag", "o", "--overlay", "o.mp4"]
    assert track("drive", *options, "--copy-input") == 0
    rows = mot_rows("o.txt")
    frames = json.loads(Path("o.json").read_text())["frames"]
    with BagReader("o") as reader:
        assert reader.counts == {"/camera": 6, "/masa/tracks": 6}
        arrays = [reader.decode(message) for message in reader.messages("/masa/tracks")]
    with open_source("drive") as source:
        stamps = [frame.stamp_ns for frame in source]
    for index, (array, frame, stamp_ns) in enumerate(zip(arrays, frames, stamps, strict=True)):
        mine, tracks = rows[rows[:, 0] == index + 1], tracks_of(array)
        assert array.header.stamp.sec * 10**9 + array.header.stamp.nanosec == stamp_ns
        assert frame["attributes"]["stamp_ns"] == str(stamp_ns)
        assert array.model == "colours" and array.header.frame_id == "front"
        assert mine[:, 1].tolist() == tracks.ids.tolist()
        assert [label["id"] for label in frame["labels"]] == [str(i) for i in tracks.ids]
        assert np.allclose(mine[:, 2:4], tracks.boxes[:, :2])
        assert [track.class_id for track in array.tracks] == [
            label["category"] for label in frame["labels"]
        ]
    with open_source("o.mp4") as source:
        assert len(list(source)) == 6


def test_where_the_clock_of_a_bag_goes_back_tracking_begins_anew(tmp_path: Path) -> None:
    second = 1_000_000_000
    stamps = [s * second for s in (50, 51, 50, 52, 50)]  # the third is late, no more; the last not
    with BagMaker(tmp_path / "drive") as bag:
        for index, stamp_ns in enumerate(stamps):
            bag.image("/camera", stamp_ns, picture(0), received_ns=60 * second + index)
    assert track("drive", "--mot", "o.txt", "--bag", "o") == 0
    rows = mot_rows("o.txt")
    ids = [set(rows[rows[:, 0] == frame, 1]) for frame in range(1, 6)]
    assert ids == [{0, 1, 2}] * 4 + [{3, 4, 5}]
    with BagReader("o") as reader:
        arrays = [reader.decode(message) for message in reader.messages("/masa/tracks")]
    assert [array.epoch for array in arrays] == [0, 0, 0, 0, 1]
    assert [{track.id for track in array.tracks} for array in arrays] == ids


def test_the_tracker_and_the_classes_are_set(tmp_path: Path) -> None:
    write_folder(tmp_path / "drive", 3)
    assert track("drive", "--classes", "person", "dog", "--set", "fps=5") == 0
    assert len(mot_rows("drive.mot.txt")) == 2 * 3
    assert track("drive", "--set", "init_score_thr=0.95", "obj_score_thr=0.95") == 0
    assert Path("drive.mot.txt").read_text() == ""
    assert track("drive", "--tracker", "masa_bdd", "--max-frames", "2") == 0
    assert len(mot_rows("drive.mot.txt")) == 3 * 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["gone.mp4"], "gone.mp4 does not exist"),
        (["drive", "--tracker", "masa_toa"], "did you mean 'masa_tao'"),
        (["drive", "--set", "init_score_th=0.3"], "did you mean 'init_score_thr'"),
        (["drive", "--set", "init_score_thr=2"], "must be in 0.0..1.0"),
        (["drive", "--set", "memo_tracklet_frames=1.5"], "whole number"),
        (["drive", "--set", "init_score_thr"], "NAME=VALUE"),
        (["drive", "--classes", "persn"], "did you mean 'person'"),
        (["drive", "--mot", "no/such/out.txt"], "there is no folder no/such"),
        (["drive", "--mot", "drive"], "is a folder"),
        (["drive", "--bag", "drive"], "not written over"),
        (["drive", "--overlay", "out.avi"], "must end in .mp4 or .webm"),
        (["drive", "--mot", "x", "--scalabel", "x"], "would overwrite --mot"),
        (["drive.avi", "--overlay", "drive.avi"], "must end in"),
        (["drive", "--copy-input"], "--copy-input needs --bag"),
        (["drive", "--detections-video", "a"], "--detections-video needs --detections"),
        (["drive", "--topic", "/camera"], "only bags have topics"),
    ],
)
def test_mistakes_are_answered_with_a_sentence(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    write_folder(Path("drive"), 2)
    write_video(Path("drive.avi"), 2)
    before = set(Path().rglob("*"))
    assert track(*arguments) == 1
    error = capsys.readouterr().err
    assert message in error and error.startswith("masa track: ") and error.count("\n") == 1
    assert set(Path().rglob("*")) == before


def test_a_source_is_not_overwritten(capsys: pytest.CaptureFixture[str]) -> None:
    write_video(Path("plain"), 2).rename("drive.mp4")
    assert track("drive.mp4", "--overlay", "./drive.mp4") == 1
    assert "would overwrite SOURCE" in capsys.readouterr().err


def test_an_unknown_model_is_answered_with_a_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*args: Any, **options: Any) -> None:
        raise ModelError("no such model")

    monkeypatch.setattr(masa_core, "load_model", fail)
    write_folder(Path("drive"), 1)
    assert track("drive", "--model", "x") == 1
    assert capsys.readouterr().err == "masa track: no such model\n"


def test_a_model_without_a_detector_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ColourModel, "has_detector", False)
    write_folder(Path("drive"), 1)
    assert track("drive") == 1
    assert "has no detector" in capsys.readouterr().err


def test_detections_of_a_file_are_tracked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(ColourModel, "has_detector", False)
    write_folder(Path("drive"), 3)
    Path("det.txt").write_text("1,-1,2,4,12,12,0.9\n3,-1,4,4,12,12,0.9\n9,-1,4,4,12,12,0.9\n")
    assert track("drive", "--detections", "det.txt", "--scalabel", "o.json") == 0
    frames = json.loads(Path("o.json").read_text())["frames"]
    assert [[label["id"] for label in frame["labels"]] for frame in frames] == [["0"], [], ["0"]]
    assert "1 of its frames were not in the source (as 8)" in capsys.readouterr().err
    Path("det.txt").write_text("1,-1,2,4,12\n")
    assert track("drive", "--detections", "det.txt") == 1
    assert "det.txt:1: 5 columns" in capsys.readouterr().err


def test_unknown_options_are_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["track", "drive", "--mott", "x"], ["trak"], []):
        with pytest.raises(SystemExit) as caught:
            cli.main(arguments)
        assert caught.value.code == 2
    assert "masa track knows no --mott x" in capsys.readouterr().err


def test_unreadable_frames_are_told_and_do_not_stop_it(capsys: pytest.CaptureFixture[str]) -> None:
    write_folder(Path("drive"), 6)
    Path("drive/frame2.png").write_bytes(png(picture(2))[:30])
    assert track("drive") == 0
    assert set(mot_rows("drive.mot.txt")[:, 0]) == {1, 2, 4, 5, 6}
    out = capsys.readouterr()
    assert "1 frames left out (file): drive/frame2.png" in out.err
    assert "left out      1" in out.out


def test_nothing_is_written_when_no_frame_can_be_read(capsys: pytest.CaptureFixture[str]) -> None:
    with BagMaker(Path("depth")) as bag:
        bag.image("/depth", 1, np.zeros((4, 4), np.uint16), "16UC1")
    assert track("depth", "--mot", "o.txt", "--bag", "o") == 1
    error = capsys.readouterr().err
    assert "16UC1" in error and "not one frame" in error
    assert [path.name for path in Path().iterdir()] == ["depth"]


def test_a_bag_that_breaks_midway_leaves_what_was_tracked(
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = write_bag(Path("drive"), 200)  # of several chunks
    (file,) = path.glob("*.mcap")
    data = bytearray(file.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 50_000] = b"\xff" * 50_000
    file.write_bytes(data)
    assert track("drive", "--mot", "o.txt", "--bag", "o") == 1
    error = capsys.readouterr().err
    assert "is damaged" in error and "stopped after" in error and "Traceback" not in error
    frames = set(mot_rows("o.txt")[:, 0])
    assert frames == set(range(1, len(frames) + 1)) and 10 < len(frames) < 200
    with BagReader("o") as reader:
        assert reader.counts == {"/masa/tracks": len(frames)}


SLOW = """
import sys
import masa_core
from fakes import ColourModel
from masa_core import cli
masa_core.load_model = lambda *args, **options: ColourModel(seconds_per_frame=0.02)
raise SystemExit(cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["ctrl-c", "terminate"]
)
def test_a_signal_leaves_whole_files_of_what_was_tracked(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    write_bag(tmp_path / "drive", 600)
    outputs = ["--mot", "o.txt", "--scalabel", "o.json", "--bag", "o", "--overlay", "o.mp4"]
    process = subprocess.Popen(
        [sys.executable, "-c", SLOW, "track", "drive", *outputs, "--copy-input"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "test/unit")))},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(lambda: any(path.stat().st_size for path in tmp_path.glob(".o.part-*.mp4")))
    process.send_signal(number)
    out, error = process.communicate(timeout=60)
    assert process.returncode == code, error
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"drive", "o", "o.txt", "o.json", "o.mp4"}
    count = len(json.loads((tmp_path / "o.json").read_text())["frames"])
    assert 0 < count < 600 and f"stopped after {count} frames" in error and "ids" in out
    assert set(mot_rows(tmp_path / "o.txt")[:, 0]) == set(range(1, count + 1))
    with BagReader(tmp_path / "o") as reader:
        assert reader.counts == {"/masa/tracks": count, "/camera": count}
        assert len(list(reader.messages())) == 2 * count
    with open_source(tmp_path / "o.mp4") as source:
        assert len(list(source)) == count


FULL = """
import resource, sys
import masa_core
from fakes import ColourModel
from masa_core import cli
masa_core.load_model = lambda *args, **options: ColourModel()
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
raise SystemExit(cli.main(sys.argv[1:]))
"""


@pytest.mark.parametrize("output", ["o.txt", "o.json", "o", "o.mp4", "o.webm"])
def test_a_full_disk_is_told_and_leaves_no_torn_output(tmp_path: Path, output: str) -> None:
    write_folder(tmp_path / "drive", 100)
    (tmp_path / "o.mp4").write_text("of an earlier run")
    option = {".txt": "--mot", ".json": "--scalabel", "": "--bag"}.get(Path(output).suffix)
    done = subprocess.run(
        [sys.executable, "-c", FULL, "track", "drive", option or "--overlay", output],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "test/unit")))},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert output in done.stderr.splitlines()[-1]
    assert not any(line.split() == ["written", output] for line in done.stdout.splitlines())
    assert {path.name for path in tmp_path.iterdir()} == {"drive", "o.mp4"}
    assert (tmp_path / "o.mp4").read_text() == "of an earlier run"


def test_a_device_is_not_replaced_by_a_file(capsys: pytest.CaptureFixture[str]) -> None:
    write_folder(Path("drive"), 1)
    os.mkfifo("pipe")  # stands for /dev/null, which a test must not put at risk
    assert track("drive", "--mot", "pipe") == 1
    assert "pipe is no file that could be replaced" in capsys.readouterr().err
    assert Path("pipe").is_fifo()


def wait_until(condition: Any, timeout_s: float = 60) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_help_is_cheap_and_names_every_command() -> None:
    code = (
        "import sys; from masa_core import cli\n"
        "try: cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'onnxruntime', 'rosbags', 'rclpy', 'tqdm'} & set(sys.modules)\n"
        "assert not heavy, heavy"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for command in cli.COMMANDS:
        assert command.__name__.rpartition(".")[2].replace("_", "-") in result.stdout


def test_the_demo_without_ros_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "rclpy", None)  # makes `import rclpy` fail
    assert cli.main(["demo", "--help"]) == 1
    error = capsys.readouterr().err
    assert "rclpy" in error and "pip install 'masa_ros[ros]'" in error
