"""Pictures of embeddings."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

from training import plots
from training.clip import Clip, open_clip


def write_clip(folder: Path, count: int) -> tuple[Path, Path]:
    """Images with two boxes each, ids 3 and 8; every other image has a third, id 5."""
    folder.mkdir()
    random = np.random.RandomState(0)
    lines = []
    for number in range(count):
        image = random.randint(0, 256, (96, 128, 3), dtype=np.uint8)
        cv2.imwrite(str(folder / f"{number:04d}.png"), image)
        for identity, x in ((3, 4), (8, 44), (5, 84)):
            if identity != 5 or number % 2:
                lines.append(f"{number + 1},{identity},{x},10,30,60,1,1,1\n")
    truth = folder.parent / "gt.txt"
    truth.write_text("".join(lines))
    return folder, truth


def test_a_picture_of_a_clip_before_and_after(tmp_path: Path, capsys) -> None:
    images, truth = write_clip(tmp_path / "images", 6)
    out = tmp_path / "both.png"
    assert plots.main(["nanodet_masa", str(images), str(truth), "--out", str(out)]) == 0
    assert "15 boxes of 3 identities" in capsys.readouterr().out
    picture = cv2.imread(str(out))
    assert picture.shape[0] > 900 and picture.shape[1] > 1000
    assert (picture.std(axis=2) > 20).sum() > 500  # coloured points, in both rows
    assert sorted(p.name for p in tmp_path.iterdir()) == ["both.png", "gt.txt", "images"]


def test_what_is_there_most_is_shown_and_long_clips_are_thinned(
    tmp_path: Path, monkeypatch
) -> None:
    clip = open_clip(*write_clip(tmp_path / "images", 12))
    monkeypatch.setattr(plots, "MOST_IDS", 2)
    monkeypatch.setattr(plots, "MOST_POINTS", 8)
    ids, (embeddings,) = plots.embed_clip([lambda frame, boxes: boxes], clip)
    assert set(ids.tolist()) == {3, 8} and len(ids) == 8
    assert (embeddings[ids == 8][:, 0] == 44).all()
    with pytest.raises(ValueError, match="no labelled frame"):
        plots.embed_clip([], Clip(tmp_path, {}))


def test_a_mistake_is_one_sentence(tmp_path: Path, capsys) -> None:
    clip = [str(path) for path in write_clip(tmp_path / "images", 3)]
    assert plots.main(["nanodet_masa", *clip, "--out", str(tmp_path / "none" / "a.png")]) == 1
    assert "No such file or directory" in capsys.readouterr().err
    Path(clip[1]).write_text("9,1,2,2,9,9,1,1,1\n")
    assert plots.main(["nanodet_masa", *clip]) == 1
    assert "images shows 0 of the labelled boxes, too few" in capsys.readouterr().err
    assert plots.main(["nanodet_masa", str(tmp_path / "none.mp4"), "gt.txt"]) == 1
    assert "training.plots: " in capsys.readouterr().err
