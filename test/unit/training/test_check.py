"""The check of a data set: each fault is named, with its file, and a good set passes."""

from __future__ import annotations

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from scenes import scene, write_image, write_scene, write_scenes

from training.check import check, main
from training.check_image import ERRORS, WARNINGS


def edit(path: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def as_corners(content: dict[str, Any]) -> None:
    """The usual mistake: x1 y1 x2 y2 for x y width height."""
    for annotation in content["annotations"]:
        x, y, w, h = annotation["bbox"]
        annotation["bbox"] = [x, y, x + w, y + h]


@pytest.fixture
def bad(tmp_path: Path) -> Path:
    """One file for each fault, named after it, and one that is good."""
    root = tmp_path / "data"
    write_scenes(root, 1)
    names = (
        "no-picture no-json cut-off-json wrong-size corners nothing lonely two-names few "
        "small twice-a twice-b zero-id same-id unfilled huge"
    )
    for seed, name in enumerate(names.split(), start=1):
        write_scene(root / f"{name}.jpg", 40 if name.startswith("twice") else seed)
    (root / "no-picture.jpg").write_bytes(b"no image")
    (root / "no-json.json").unlink()
    cut = (root / "cut-off-json.json").read_text()[:-20]
    (root / "cut-off-json.json").write_text(cut)
    write_image(root / "wrong-size.jpg", np.zeros((96, 64, 3), np.uint8))
    edit(root / "corners.json", as_corners)
    edit(root / "nothing.json", lambda c: c["annotations"].clear())
    (root / "lonely.jpg").unlink()
    edit(root / "two-names.json", lambda c: c["image"].update(file_name="other.jpg"))
    write_image(root / "two-names.png", scene(1)[0])
    edit(root / "few.json", lambda c: c.update(annotations=c["annotations"][:1]))
    write_scene(root / "small.jpg", 5, height=40, width=60)
    edit(root / "zero-id.json", lambda c: c["annotations"][1].update(id=0))
    edit(root / "same-id.json", lambda c: c["annotations"][1].update(id=1))
    counts = {"size": [96, 128], "counts": [5, 7]}
    edit(root / "unfilled.json", lambda c: c["annotations"][1].update(segmentation=counts))
    box = {"id": 9, "bbox": [0, 0, 128, 96], "area": 12288}
    edit(root / "huge.json", lambda c: c.update(annotations=[box, box | {"id": 8}]))
    return root


def test_every_fault_is_named_with_its_file(bad: Path) -> None:
    report = check([bad], None, None, workers=2)
    found = {kind: sorted(texts) for kind, texts in report.problems.items()}
    expected = {
        "image cannot be read": ["no-picture"],
        "JSON cannot be read": ["cut-off-json", "same-id", "unfilled", "zero-id"],
        "image and JSON differ in size": ["wrong-size"],
        "box does not surround its mask": ["corners"],
        "no segment that can be used": ["nothing"],
        "image without JSON": ["no-json"],
        "JSON without image": ["lonely"],
        "left out for an image of the same name": ["two-names.png"],
        "file_name is another": ["two-names"],
        "few segments": ["few", "huge"],
        "small image": ["small"],
        "mostly huge segments": ["huge"],
        "the same image twice": ["twice-b"],
    }
    assert set(found) == set(expected)
    for kind, names in expected.items():
        assert len(found[kind]) == len(names), kind
        for name, text in zip(names, found[kind], strict=True):
            assert f"/{name}" in text
    assert set(found) <= set(ERRORS) | set(WARNINGS)
    assert report.errors == 8


def test_errors_are_in_the_exit_code_and_warnings_are_not(
    bad: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(bad), "--workers", "1"]) == 1
    text = capsys.readouterr().out
    assert "error: JSON cannot be read: 4" in text
    assert "and 1 more" in text
    assert text.splitlines()[-1] == "8 errors"
    good = write_scenes(tmp_path / "good", 3)
    (good / "scene0001.json").unlink()
    assert main([str(good), "--workers", "1"]) == 0
    text = capsys.readouterr().out
    assert "warning: image without JSON: 1" in text
    assert text.splitlines()[-1] == "no errors"
    assert "segments an image" in text


def test_segments_left_out_are_counted(tmp_path: Path) -> None:
    write_scene(tmp_path / "a.jpg", 1)
    edit(tmp_path / "a.json", lambda c: c["annotations"][0].update(area=0))
    report = check([tmp_path], None, None, workers=1)
    assert "a.json: 1 without area" in report.problems["segments left out"][0]


def test_a_sample_is_looked_at_where_all_is_too_much(tmp_path: Path) -> None:
    data = write_scenes(tmp_path / "data", 12)
    first, again = (check([data], None, 5, workers=1) for _ in range(2))
    assert (first.images, first.looked_at, len(first.facts)) == (12, 5, 5)
    assert [fact.digest for fact in first.facts] == [fact.digest for fact in again.facts]


def test_names_of_older_systems_can_be_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_scene(tmp_path / "data" / os.fsdecode(b"stra\xdfe.jpg"), 1)
    path.write_bytes(b"no image")
    terminal = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(terminal, "utf-8", errors="strict"))
    assert main([str(tmp_path / "data")]) == 1
    sys.stdout.flush()
    assert b"stra\\udcdfe.jpg is not an image" in terminal.getvalue()


@pytest.mark.parametrize("arguments", [["--workers", "0"], ["--limit", "-1"]])
def test_numbers_that_make_no_sense_are_refused(tmp_path: Path, arguments: list[str]) -> None:
    write_scene(tmp_path / "a.jpg", 1)
    with pytest.raises(SystemExit):
        main([str(tmp_path), *arguments])


def test_a_folder_that_may_not_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_scene(tmp_path / "a.jpg", 1)
    refused = PermissionError(13, "Permission denied", "lost+found")
    monkeypatch.setattr(os, "scandir", Mock(side_effect=refused))
    assert main([str(tmp_path)]) == 2
    assert "Permission denied: 'lost+found'" in capsys.readouterr().err
    assert main([str(tmp_path), "--segments", "nowhere"]) == 2
    assert "nowhere is no folder" in capsys.readouterr().err


def test_json_may_lie_elsewhere(tmp_path: Path) -> None:
    write_scene(tmp_path / "images" / "a" / "x.jpg", 1)
    (tmp_path / "json" / "a").mkdir(parents=True)
    (tmp_path / "images" / "a" / "x.json").rename(tmp_path / "json" / "a" / "x.json")
    report = check([tmp_path / "images"], tmp_path / "json", None, workers=1)
    assert len(report.facts) == 1
    assert not report.problems


def test_a_folder_without_data_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(tmp_path)]) == 1
    assert "training.segments" in capsys.readouterr().out
    write_scene(tmp_path / "data" / "lonely.jpg", 1)
    (tmp_path / "data" / "lonely.jpg").unlink()
    assert main([str(tmp_path / "data")]) == 1
    text = capsys.readouterr().out
    assert "error: no image has segments" in text
    assert text.splitlines()[-1] == "1 error"
    assert main([str(tmp_path / "nowhere")]) == 2
