"""`masa drive`, as a user runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from fakes import write_video

from masa_core import cli

ROOT = Path(__file__).parents[2]
SMALL = ["--size", "128x72", "--camera-hz", "5", "--background", "road.avi"]


@pytest.fixture(autouse=True)
def in_folder_with_a_road(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    write_video(tmp_path / "road.avi", 60)
    monkeypatch.chdir(tmp_path)


def test_a_drive_is_written_and_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    options = ["--seconds", "2", "--seed", "7", "--truth-hz", "2.5", "--vanishing-point", "0.5,0.6"]
    assert cli.main(["drive", "out", *SMALL, *options]) == 0
    out = capsys.readouterr()
    table = dict(line.split(maxsplit=1) for line in out.out.splitlines())
    assert table["frames"] == "10" and "pedestrian" in out.out and out.err == ""
    assert {path.name for path in Path("out").iterdir()} == {
        "drive.yaml",
        "metadata.yaml",
        "out.mcap",
        "truth.json",
    }
    settings = yaml.safe_load(Path("out/drive.yaml").read_text())["settings"]
    assert settings["seed"] == 7 and settings["size"] == [128, 72]
    assert settings["background"]["path"] == "road.avi"
    assert settings["background"]["vanishing_point"] == [0.5, 0.6]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["road.avi"], "road.avi exists; a drive is not written over"),
        (["no/drive"], "there is no folder no"),
        (["out", "--seconds", "-3"], "-3.0 seconds are no drive"),
        (["out", "--truth-hz", "60"], "does not fit a camera of 30.0 Hz"),
        (["out", "--playback", "2"], "--playback needs --background"),
        (["out", "--background", "gone.mp4"], "gone.mp4 does not exist"),
        (["out", "--background", "road.avi", "--camera-m-s", "1"], "it must be 3 to 100"),
        (["out", "--cutouts", "gone"], "gone has no NAME.jpg"),
        (["out", "--paths", "gone.txt"], "gone.txt"),
    ],
)
def test_mistakes_are_answered_with_a_sentence(
    arguments: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["drive", *arguments]) == 1
    error = capsys.readouterr().err
    assert message in error and error.startswith("masa drive: ") and error.count("\n") == 1
    assert [path.name for path in Path().iterdir()] == ["road.avi"]


@pytest.mark.parametrize(
    ("option", "value", "message"),
    [
        ("--size", "720p", "'720p' is no size such as 1280x720"),
        ("--vanishing-point", "0.5", "'0.5' is no point such as"),
        ("--detections", "good", "choose from"),
    ],
)
def test_wrong_usage(
    option: str, value: str, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["drive", "out", option, value])
    assert caught.value.code == 2 and message in capsys.readouterr().err


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_leaves_nothing(tmp_path: Path, number: signal.Signals, code: int) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "masa_core.cli", "drive", "out", "--seconds", "1000", *SMALL],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not any(path.stat().st_size for path in tmp_path.glob(".out.part-*/out/truth.json")):
        assert time.monotonic() < deadline and process.poll() is None
        time.sleep(0.02)
    process.send_signal(number)
    _, error = process.communicate(timeout=60)
    assert process.returncode == code and "nothing was written" in error
    assert [path.name for path in tmp_path.iterdir()] == ["road.avi"]
