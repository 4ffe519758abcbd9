"""Segments as SA-1B's JSON: read as they are, written as they were, and said what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scenes import scene

from masa_core.io.coco_rle import to_coco_rle
from masa_core.masks import encode_mask
from training.sa1b import EMPTY_MASK, read_segments, write_segments


def annotation(**changes: Any) -> dict[str, Any]:
    """One of SA-1B's own: a mask of 3 x 2 px at (4, 5), whose box ends at its last pixel."""
    pixels = np.zeros((20, 30), bool)
    pixels[5:7, 4:7] = True
    return {
        "id": 488442111,
        "bbox": [4, 5, 2, 1],
        "area": 6,
        "segmentation": to_coco_rle(encode_mask(pixels), 20, 30),
        "predicted_iou": 0.91,
        "stability_score": 0.97,
        "point_coords": [[5, 6]],
        "crop_box": [0, 0, 30, 20],
    } | changes


def write(path: Path, *annotations: dict[str, Any], **image: Any) -> Path:
    head = {"image_id": 1, "width": 30, "height": 20, "file_name": "sa_1.jpg"} | image
    path.write_text(json.dumps({"image": head, "annotations": list(annotations)}))
    return path


def test_sa_1b_is_read_as_it_is(tmp_path: Path) -> None:
    segments = read_segments(write(tmp_path / "sa_1.json", annotation()))
    assert (segments.height, segments.width, len(segments)) == (20, 30, 1)
    np.testing.assert_array_equal(segments.boxes, [[4, 5, 6, 6]])
    assert segments.boxes.dtype == np.float32
    np.testing.assert_array_equal(segments.ids, [488442111])
    np.testing.assert_allclose(segments.scores, [0.91])
    mask = segments.masks[0]
    assert (mask.x, mask.y, mask.width, mask.height) == (4, 5, 3, 2)
    assert segments.sources == [""]


def test_what_is_written_is_read(tmp_path: Path) -> None:
    _, segments = scene(3)
    path = tmp_path / "a.json"
    details = [{"stability_score": 0.5 + row / 100} for row in range(len(segments))]
    write_segments(path, "a.png", segments, image_id=7, details=details)
    back = read_segments(path)
    np.testing.assert_array_equal(back.boxes, segments.boxes)
    np.testing.assert_array_equal(back.ids, segments.ids)
    np.testing.assert_allclose(back.scores, segments.scores)
    assert back.masks == segments.masks
    assert back.sources == segments.sources
    content = json.loads(path.read_text())
    assert content["image"] == {"image_id": 7, "width": 128, "height": 96, "file_name": "a.png"}
    assert content["annotations"][1]["stability_score"] == 0.51
    assert [file.name for file in tmp_path.iterdir()] == ["a.json"]


def test_without_masks_everything_else_is_the_same(tmp_path: Path) -> None:
    write_segments(tmp_path / "a.json", "a.jpg", scene(1)[1])
    with_masks, without = (read_segments(tmp_path / "a.json", masks) for masks in (True, False))
    assert set(without.masks) == {EMPTY_MASK}
    np.testing.assert_array_equal(with_masks.boxes, without.boxes)


def test_a_segment_may_be_a_box_only(tmp_path: Path) -> None:
    box_only = annotation()
    del box_only["segmentation"], box_only["predicted_iou"], box_only["area"]
    segments = read_segments(write(tmp_path / "a.json", box_only))
    assert segments.masks == [EMPTY_MASK]
    assert segments.scores.tolist() == [1]
    write_segments(tmp_path / "b.json", "b.jpg", segments)
    assert read_segments(tmp_path / "b.json").masks == [EMPTY_MASK]


@pytest.mark.parametrize(
    "changes",
    [
        {"area": 0},
        {"bbox": [4, 5, 0.9, 5]},
        {"bbox": [4, 5, 5, 0.9]},
        {"bbox": [30, 5, 5, 5]},
        {"bbox": [4, -5, 5, 5]},
    ],
)
def test_segments_that_cannot_be_learned_from_are_left_out(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    path = write(tmp_path / "a.json", annotation(), annotation(id=2, **changes))
    assert read_segments(path).ids.tolist() == [488442111]


def test_an_image_may_have_no_segment(tmp_path: Path) -> None:
    segments = read_segments(write(tmp_path / "a.json"))
    assert segments.boxes.shape == (0, 4)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"id": 0}, "ids are positive"),
        ({"id": 488442111}, "comes twice"),
        ({"bbox": [1, 2, 3]}, "unpack"),
        ({"bbox": [1, 2, 3, float("nan")]}, "finite"),
        ({"segmentation": [[1, 1, 4, 1, 4, 4]]}, "polygon"),
        ({"segmentation": {"size": [20, 30], "counts": "1"}}, "do not fill"),
        ({"segmentation": {"size": [30, 20], "counts": [600]}}, "of an image of"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(
    tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    path = write(tmp_path / "bad.json", annotation(), annotation(**({"id": 2} | changes)))
    with pytest.raises(ValueError, match=rf"bad\.json: annotation 1: .*{reason}"):
        read_segments(path)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"image": {}}', '{"image": {"height": 0, "width": 1}}']
)
def test_another_file_is_told_from_segments(tmp_path: Path, text: str) -> None:
    (tmp_path / "x.json").write_text(text)
    with pytest.raises(ValueError, match=r"x\.json is not SA-1B's JSON"):
        read_segments(tmp_path / "x.json")
    missing = annotation()
    del missing["bbox"]
    with pytest.raises(ValueError, match="it lacks 'bbox'"):
        read_segments(write(tmp_path / "y.json", missing))


def test_rows_can_be_taken(tmp_path: Path) -> None:
    _, segments = scene(5)
    some = segments[np.array([2, 0])]
    assert some.ids.tolist() == [3, 1]
    assert some.masks == [segments.masks[2], segments.masks[0]]
    assert len(segments[segments.ids > 1]) == len(segments) - 1
