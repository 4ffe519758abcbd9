"""Frames taken out of videos, folders and bags: which ones, under which names, and once."""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from scenes import texture, write_image

sys.path.insert(0, str(Path(__file__).parents[1]))
from fakes import BagMaker, picture, write_folder, write_video

from training.frames import looks_new, main, thumbnail


def taken(out: Path) -> list[str]:
    return sorted(path.name for path in out.iterdir() if not path.name.startswith("."))


def test_a_video_gives_a_frame_each_so_many_seconds(tmp_path: Path) -> None:
    video = write_video(tmp_path / "drive.avi", 40, fps=20)
    out = tmp_path / "out"
    assert main([str(video), str(out), "--every", "0.5", "--format", "png"]) == 0
    stamps = (0, 500_000_000, 1_000_000_000, 1_500_000_000)
    assert taken(out) == [f"drive-{stamp:019d}.png" for stamp in stamps]
    image = cv2.imread(str(out / taken(out)[1]))
    assert np.abs(image.astype(int) - picture(10)).mean() < 8


def test_bags_and_folders_are_sources_too(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        for index in range(4):
            bag.image("/front", 10**18 + index * 10**9, picture(8 * index))
            bag.image("/rear", 10**18 + index * 10**9, picture(index))
    out = tmp_path / "out"
    assert main([str(tmp_path / "bag"), str(out), "--every", "2", "--topic", "/front"]) == 0
    assert taken(out) == [f"bag-{10**18 + s * 10**9:019d}.jpg" for s in (0, 2)]
    folder = write_folder(tmp_path / "pictures", 20)
    assert main([str(folder), str(tmp_path / "two"), "--every", "1", "--fps", "10"]) == 0
    assert len(taken(tmp_path / "two")) == 2


def test_frames_that_look_alike_are_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "still"
    ground = texture(np.random.RandomState(0), 120, 160)
    for index in range(8):
        noise = np.random.RandomState(index).normal(0, 6, ground.shape)
        image = (ground + noise).clip(0, 255).astype(np.uint8)
        if index == 5:  # something small comes in
            image[40:60, 50:60] = 255 - image[40:60, 50:60]
        write_image(folder / f"{index}.png", image)
    arguments = [str(folder), str(tmp_path / "out"), "--every", "0"]
    assert main(arguments) == 0
    assert len(taken(tmp_path / "out")) == 3  # the first, the one with it, and without it again
    assert "3 frames kept, 5 alike left out" in capsys.readouterr().out
    assert main([*arguments[:1], str(tmp_path / "all"), "--every", "0", "--change", "-1"]) == 0
    assert len(taken(tmp_path / "all")) == 8


def test_a_change_of_exposure_is_nothing_new() -> None:
    image = texture(np.random.RandomState(1), 120, 160) // 2 + 40
    assert not looks_new(thumbnail(image + 20), thumbnail(image), 10)
    assert looks_new(thumbnail(image[:, ::-1]), thumbnail(image), 10)


def test_a_finished_source_is_left_alone_and_a_stopped_one_gone_on_with(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    video = write_video(tmp_path / "drive.avi", 40, fps=20)
    arguments = [str(video), str(tmp_path / "out"), "--every", "0.5"]
    assert main(arguments) == 0
    first, second, *_ = (tmp_path / "out" / name for name in taken(tmp_path / "out"))
    first.write_bytes(b"kept")
    second.unlink()
    assert main(arguments) == 0
    assert "finished before (4 frames)" in capsys.readouterr().out
    assert not second.exists()
    mark = tmp_path / "out" / ".drive.frames.json"
    mark.unlink()  # as if it had been stopped
    assert main(arguments) == 0
    assert second.exists()
    assert first.read_bytes() == b"kept"
    assert main([*arguments[:-1], "0.25"]) == 0  # other settings: taken anew
    assert len(taken(tmp_path / "out")) == 8


def test_a_source_of_the_same_name_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    videos = [str(write_video(tmp_path / name / "drive.avi", 5)) for name in "ab"]
    assert main([*videos, str(tmp_path / "out")]) == 1
    assert "which has the same name" in capsys.readouterr().err
    assert len(taken(tmp_path / "out")) == 1


def test_a_clock_that_goes_back_hides_no_frame(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        for index, second in enumerate((100, 101, 50, 51, 100)):
            bag.image("/camera", second * 10**9, picture(8 * index), received_ns=index * 10**9)
    assert main([str(tmp_path / "bag"), str(tmp_path / "out"), "--every", "1"]) == 0
    assert len(taken(tmp_path / "out")) == 5


def test_what_cannot_be_read_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = write_folder(tmp_path / "pictures", 3)
    (folder / "frame1.png").write_bytes(b"no image")
    nowhere = str(tmp_path / "nowhere.mp4")
    assert main([nowhere, str(folder), str(tmp_path / "out"), "--every", "0"]) == 1
    error = capsys.readouterr().err
    assert "nowhere.mp4 does not exist" in error
    assert "1 frames left out" in error
    assert len(taken(tmp_path / "out")) == 2
