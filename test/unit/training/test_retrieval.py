"""Retrieval: what it counts, on clips whose answer is known."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from training.clip import Clip
from training.retrieval import Looks, histogram, look, main, rank_one, retrieval

COLOURS = np.array([[0, 0, 255], [0, 255, 0], [255, 0, 0]])  # of three things, red, green, blue
FRAMES = 61  # at 30 a second


@pytest.fixture
def clip(tmp_path: Path) -> Clip:
    """Three coloured things that change places every half second."""
    folder = tmp_path / "frames"
    folder.mkdir()
    labels = {}
    for number in range(FRAMES):
        image = np.full((40, 120, 3), 128, np.uint8)
        lefts = [5 + 40 * ((n + number // 15) % 3) for n in range(3)]
        boxes = np.array([[left, 5, 0, 0] for left in lefts], np.float32)
        boxes[:, 2:] = boxes[:, :2] + 30
        for colour, (x1, y1, x2, y2) in zip(COLOURS, boxes.astype(int), strict=True):
            image[y1:y2, x1:x2] = colour
        cv2.imwrite(str(folder / f"{number:06}.png"), image)
        labels[number] = boxes, np.array([7, 8, 9])
    return Clip(folder, labels)


def place(frame: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Tells things by where they are alone, which is wrong here."""
    return np.eye(120, dtype=np.float32)[boxes[:, 0].astype(int)]


def test_colours_find_what_changed_places(clip: Clip) -> None:
    found = retrieval(histogram, clip, [0.5, 1.0])
    assert found["clean"] == [1.0, 1.0]
    assert found["boxes cut"] == [1.0, 1.0]


def test_places_find_the_wrong_thing(clip: Clip) -> None:
    looks = look(place, clip)
    assert rank_one(looks, looks.clean, looks.clean, 0.5) == 0.0
    assert rank_one(looks, looks.clean, looks.clean, 1.5) == 1.0  # back at its first place


def test_who_left_is_not_asked_for() -> None:
    rows = np.eye(3, dtype=np.float32)[[0, 1, 0, 2]]
    looks = Looks(
        np.array([0.0, 1.0]), np.array([0, 0, 1, 1]), np.array([1, 2, 1, 3]), rows, rows, rows
    )
    assert rank_one(looks, rows, rows, 1.0) == 1.0
    assert np.isnan(rank_one(looks, rows, rows, 5.0))


def test_cut_boxes_lie_in_the_true_ones_and_the_dark_picture_is_bluer(clip: Clip) -> None:
    seen = []

    def embed(frame: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        seen.append((frame[0, 0].tolist(), boxes))
        return np.zeros((len(boxes), 2), np.float32)

    look(embed, clip)
    (light, true), (_, cut), (dark, _) = seen[:3]
    assert (cut[:, :2] >= true[:, :2]).all() and (cut[:, 2:] <= true[:, 2:]).all()
    assert 0 < np.abs(cut - true).max() <= 0.15 * 30
    assert light == [128] * 3 and dark == [110, 96, 86]


def test_a_clip_without_labels_is_named(clip: Clip) -> None:
    with pytest.raises(ValueError, match="frames has no labelled frame"):
        look(histogram, Clip(clip.source, {}))


def test_the_command_prints_a_table(
    clip: Clip, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [
        f"{frame + 1},{i},{x1},{y1},{x2 - x1},{y2 - y1},1,1,1"
        for frame, (boxes, ids) in clip.labels.items()
        for i, (x1, y1, x2, y2) in zip(ids, boxes, strict=True)
    ]
    truth = tmp_path / "gt.txt"
    truth.write_text("\n".join(lines))
    arguments = ["histogram", "--clip", str(clip.source), str(truth), "--gaps-s", "1"]
    monkeypatch.setattr("sys.argv", ["retrieval", *arguments])
    assert main() == 0
    printed = capsys.readouterr().out
    assert "| frames | histogram | clean | 1.000 |" in printed
    for wrong, reason in (
        (["histogram", "--clip", "none.mp4"], "none.mp4 does not exist"),
        (["nanodet", *arguments[1:]], "nanodet is neither a folder nor a model; did you mean"),
        (["histogram", "--clip", str(clip.source), "none.txt"], "none.txt is not there"),
    ):
        monkeypatch.setattr("sys.argv", ["retrieval", *wrong])
        assert main() == 1
        assert f"training.retrieval: {reason}" in capsys.readouterr().err
