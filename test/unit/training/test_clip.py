"""Clips with truth: where labels lie, and which frames are looked at."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from masa_core import cli
from masa_core.io import SourceError
from training.clip import clip_of, open_clip


def write_images(folder: Path, count: int) -> Path:
    folder.mkdir()
    for number in range(count):
        cv2.imwrite(str(folder / f"{number:03d}.png"), np.full((24, 32, 3), number, np.uint8))
    return folder


def test_frames_of_motchallenge_count_from_one(tmp_path: Path) -> None:
    images, truth = write_images(tmp_path / "images", 31), tmp_path / "gt.txt"
    rows = [f"{n + 1},7,{n},2,10,20,1,1,1\n" for n in range(31)]
    truth.write_text("".join(rows) + "4,9,1,1,5,5,0,1,1\n")  # one that does not count
    frames = list(open_clip(images, truth).frames())
    assert len(frames) == 31
    for number, frame in enumerate(frames):
        assert (frame.image == number).all() and frame.ids.tolist() == [7]
        assert frame.boxes.tolist() == [[number, 2, number + 10, 22]]
        assert frame.time_s == pytest.approx(number / 30, abs=1e-3)
    apart = [frame.time_s for frame in open_clip(images, truth).frames(every_s=0.5)]
    assert apart == pytest.approx([0, 0.5, 1.0], abs=1e-3)


def test_a_drive_has_its_truth_in_it(tmp_path: Path) -> None:
    out = tmp_path / "drive"
    options = ["--seconds", "2", "--size", "160x96", "--camera-hz", "5", "--truth-hz", "2.5"]
    assert cli.main(["drive", str(out), *options]) == 0
    frames = list(open_clip(out).frames())
    assert [frame.time_s for frame in frames] == pytest.approx([0, 0.4, 0.8, 1.2, 1.6])
    for frame in frames:
        assert frame.image.shape == (96, 160, 3)
        assert len(frame.boxes) == len(frame.ids) > 0
        assert (frame.boxes[:, 2:] > frame.boxes[:, :2]).all()
    assert len(np.intersect1d(frames[0].ids, frames[1].ids)), "ids stay"


def test_a_clip_without_its_truth_is_told_what_to_name(tmp_path: Path) -> None:
    images = write_images(tmp_path / "images", 1)
    for truth in ("", tmp_path / "gt.csv"):
        with pytest.raises(
            SourceError, match=r"images is a folder: name its truth, too, a gt\.txt"
        ):
            open_clip(images, truth)
    with pytest.raises(ValueError, match="a clip and its truth, not 3 paths"):
        clip_of([images, images, images])


def test_what_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises((SourceError, OSError), match=r"none\.txt"):
        open_clip(tmp_path, tmp_path / "none.txt")
