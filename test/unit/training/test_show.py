"""Pictures of pairs: the same instance has the same colour in both views, at its place."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from scenes import write_scene, write_scenes

from masa_core.masks import encode_mask
from training.pair_picture import draw_pair, sheet
from training.sa1b import EMPTY_MASK
from training.show import main
from training.views.view import View


@pytest.fixture(autouse=True)
def _own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def view_of(*corners: tuple[int, int], shift: int = 0) -> View:
    """A black view of 100 x 120 px with a square of 30 px at each corner, moved to the right."""
    masks = [encode_mask(np.ones((30, 30), bool), x, y) for x, y in corners]
    boxes = [[x + shift, y, x + shift + 30, y + 30] for x, y in corners]
    to_view = np.tile(np.array([[1.0, 0, shift], [0, 1, 0], [0, 0, 1]]), (len(corners), 1, 1))
    ids = np.arange(1, len(corners) + 1)
    image = np.zeros((100, 120, 3), np.uint8)
    return View(image, np.array(boxes, np.float32), ids, masks, to_view)


def middle(picture: np.ndarray, x: int, y: int) -> np.ndarray:
    """The tint at a corner's square, away from its number; the picture has a caption above."""
    return picture[24 + y + 6, x + 6].astype(int)


def test_an_instance_has_its_colour_in_both_views() -> None:
    corners = ((10, 10), (50, 10), (10, 60))
    key, reference = view_of(*corners), view_of(*corners, shift=20)
    picture = draw_pair(key, reference, "a.jpg", np.random.RandomState(0))
    assert picture.shape == (24 + 100, 2 * 120 + 4, 3)
    tints = [middle(picture, x, y) for x, y in corners]
    for (x, y), tint in zip(corners, tints, strict=True):
        assert tint.max() > 60
        np.testing.assert_array_equal(middle(picture, 124 + x + 20, y), tint)
    assert all(np.abs(tints[i] - tints[i - 1]).max() > 40 for i in range(3))
    assert middle(picture, 85, 60).max() == 0
    np.testing.assert_array_equal(key.image, 0)  # drawn on a copy


def test_what_is_in_one_view_only_has_no_colour() -> None:
    key = view_of((10, 10), (50, 10))
    reference = key.take([0])
    picture = draw_pair(key, reference, "a.jpg", np.random.RandomState(0))
    assert middle(picture, 10, 10).max() > 60
    assert middle(picture, 50, 10).max() == 0


def test_a_box_without_a_mask_is_drawn_too() -> None:
    key = view_of((10, 10))
    key = replace(key, masks=[EMPTY_MASK])
    picture = draw_pair(key, key, "a.jpg", np.random.RandomState(0))
    assert middle(picture, 10, 10).max() > 60


def test_pictures_go_on_a_sheet() -> None:
    pictures = [np.full((10, 20, 3), level, np.uint8) for level in (50, 60, 70)]
    whole = sheet(pictures, 2)
    assert whole.shape == (2 * 10 + 4, 2 * 20 + 4, 3)
    assert (whole[5, 5, 0], whole[5, 30, 0], whole[20, 5, 0], whole[20, 30, 0]) == (50, 60, 70, 255)
    assert sheet(pictures[:1], 2).shape == (10, 20, 3)


def test_the_command_draws_a_data_set(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = write_scenes(tmp_path / "data", 3)
    (data / "scene0001.jpg").write_bytes(b"no image")
    out = tmp_path / "pairs.png"
    arguments = [str(data), "--out", str(out), "--pairs", "3", "--size", "96"]
    assert main(arguments) == 0
    picture = cv2.imread(str(out))
    assert picture.shape == (2 * (96 + 24) + 4, 2 * (2 * 96 + 4) + 4, 3)
    assert "left out" in capsys.readouterr().err
    first = out.read_bytes()
    assert main(arguments) == 0
    assert out.read_bytes() == first  # chance is a function of the seed
    assert main([*arguments, "--seed", "1", "--alone"]) == 0
    assert out.read_bytes() != first


def test_any_file_name_can_be_drawn(tmp_path: Path) -> None:
    for name in (b"stra\xdfe.jpg", "straße 日本.jpg".encode()):
        write_scene(tmp_path / "data" / os.fsdecode(name), 3)
        out = tmp_path / "pairs.png"
        # In a process of its own: such a name has crashed OpenCV.
        command = [sys.executable, "-m", "training.show", str(tmp_path / "data")]
        arguments = ["--pairs", "2", "--size", "160", "--out", str(out)]
        subprocess.run([*command, *arguments], check=True)
        assert out.exists()


def test_a_picture_that_cannot_be_written_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_scene(tmp_path / "data" / "a.jpg", 3)
    arguments = [str(tmp_path / "data"), "--pairs", "1", "--size", "160", "--out"]
    assert main([*arguments, str(tmp_path / "nowhere" / "pairs.png")]) == 2
    assert "No such file or directory" in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main([*arguments, "pairs.xyz"])
    assert "pairs.xyz is no image file: name a .png or .jpg" in capsys.readouterr().err


def test_nothing_to_show_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(tmp_path), "--out", str(tmp_path / "x.png")]) == 2
    assert "no image in" in capsys.readouterr().err
    assert not (tmp_path / "x.png").exists()
