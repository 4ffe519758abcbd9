"""Frames from videos and folders of images."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes import picture, png, write_folder, write_video

from masa_core.io import SourceError, open_source

ODD_NAMES = [
    "a drive.avi",
    "drive:1.avi",
    "take%02d.avi",
    "ünï 漢字.avi",
    "-v.avi",
    "a#b?c.avi",
    "https:x.avi",
]


def test_a_video_gives_its_frames_in_order_with_their_times(tmp_path: Path) -> None:
    with open_source(write_video(tmp_path / "drive.avi", 12, fps=20)) as source:
        frames = list(source)
    assert (source.kind, source.name, source.length, source.fps) == ("video", "drive", 12, 20)
    assert [frame.index for frame in frames] == list(range(12))
    assert [frame.stamp_ns for frame in frames] == [50_000_000 * index for index in range(12)]
    for frame in frames:  # JPEG inside: near, not equal
        assert np.abs(frame.image.astype(int) - picture(frame.index)).mean() < 8
    assert not source.unreadable


@pytest.mark.parametrize("name", ODD_NAMES)
def test_a_video_may_have_any_name(
    tmp_path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_video(tmp_path / name, 3)
    monkeypatch.chdir(tmp_path)  # relative, where such names are dangerous
    with open_source(name) as source:
        assert len(list(source)) == 3
        assert source.name == name.removesuffix(".avi")


def test_frames_that_a_cut_off_video_promises_are_counted(tmp_path: Path) -> None:
    path = write_video(tmp_path / "drive.avi", 40)
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with open_source(path) as source:
        frames = list(source)
    assert 0 < len(frames) < 40
    assert source.unreadable == {"missing": 40 - len(frames)}
    assert "promises 40" in source.examples["missing"]


class Capture:
    """OpenCV on a WebM of 2 s whose frames come at 25 Hz and, after half a second, at 5 Hz."""

    stamps_ms = [40 * index for index in range(12)] + [480 + 200 * index for index in range(8)]

    def __init__(self, *args: object) -> None:
        self._left = list(self.stamps_ms)
        self._now = 0

    def isOpened(self) -> bool:
        return True

    def read(self) -> tuple[bool, np.ndarray | None]:
        if not self._left:
            return False, None
        self._now = self._left.pop(0)
        return True, picture(0)

    def get(self, what: int) -> float:
        answers = {cv2.CAP_PROP_FRAME_COUNT: 52, cv2.CAP_PROP_FPS: 25}
        return answers.get(what, self._now)

    def release(self) -> None: ...


def test_a_variable_frame_rate_is_no_loss(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cv2, "VideoCapture", Capture)
    (tmp_path / "drive.webm").touch()
    with open_source(tmp_path / "drive.webm") as source:
        stamps_ms = [frame.stamp_ns / 1e6 for frame in source]
    assert stamps_ms == Capture.stamps_ms and source.losses() == []
    monkeypatch.setattr(Capture, "stamps_ms", Capture.stamps_ms[:12])  # it was cut off
    with open_source(tmp_path / "drive.webm") as source:
        assert len(list(source)) == 12 and "gives 12" in source.losses()[0]


def test_folder_images_come_in_natural_order_at_the_given_rate(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "images", 12)
    (folder / ".hidden.png").write_bytes(b"not an image")
    (folder / "notes.txt").write_text("nor this")
    with open_source(folder, fps=10) as source:
        frames = list(source)
    assert [frame.name for frame in frames] == [f"frame{index}.png" for index in range(12)]
    assert [frame.stamp_ns for frame in frames] == [100_000_000 * index for index in range(12)]
    assert all(np.array_equal(frame.image, picture(frame.index)) for frame in frames)
    assert (source.kind, source.name, source.length) == ("folder", "images", 12)


def test_unreadable_images_are_counted_named_and_keep_their_place(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "images", 5)
    (folder / "frame1.png").write_bytes(b"")
    (folder / "frame3.png").write_bytes(png(picture(0))[:40])
    with open_source(folder) as source:
        assert [frame.index for frame in source] == [0, 2, 4]
    assert source.unreadable == {"file": 2}
    assert "frame1.png" in source.examples["file"]


def test_images_may_have_names_that_are_no_text(tmp_path: Path) -> None:
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    try:
        (tmp_path / name).write_bytes(png(picture(1)))
    except OSError:
        pytest.skip("this file system takes text only")
    with open_source(tmp_path) as source:
        assert len(list(source)) == 1


def test_grey_and_16_bit_images_become_bgr(tmp_path: Path) -> None:
    (tmp_path / "grey.png").write_bytes(png(np.full((4, 6), 100, np.uint8)))
    (tmp_path / "wide.png").write_bytes(png(np.full((4, 6, 3), 100 * 257, np.uint16)))
    with open_source(tmp_path) as source:
        for frame in source:
            assert frame.image.shape == (4, 6, 3) and frame.image.dtype == np.uint8
            assert (frame.image == 100).all()


def test_what_cannot_be_opened_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "old.bag").write_bytes(b"#ROSBAG V2.0\n")
    cv2.imwrite(str(tmp_path / "one.jpg"), picture(0))
    for name, message in {
        "missing.mp4": "does not exist",
        "empty": "neither a bag nor a folder with images",
        "text.mp4": "no video",
        "old.bag": "ROS 1",
        "one.jpg": "give the folder",
    }.items():
        with pytest.raises(SourceError, match=message) as caught:
            open_source(tmp_path / name)
        assert name in str(caught.value) and "\n" not in str(caught.value)


def test_arguments_that_do_not_fit_the_source_are_refused(tmp_path: Path) -> None:
    video = write_video(tmp_path / "drive.avi", 2)
    with pytest.raises(SourceError, match="only bags have topics"):
        open_source(video, topic="/camera")
    with pytest.raises(SourceError, match="no frame rate"):
        open_source(video, fps=10)
    folder = write_folder(tmp_path / "images", 1)
    for fps in (0, 1e-12, float("inf"), float("nan")):
        with pytest.raises(SourceError, match=f"frame rate of {fps}"):
            open_source(folder, fps=fps)
