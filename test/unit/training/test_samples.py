"""Images with their segments: the right ones, with ids that no other image has."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scenes import scene, write_image, write_scene, write_scenes

from training.index import open_index
from training.sa1b import EMPTY_MASK
from training.samples import read_sample


def test_an_image_comes_with_its_segments(tmp_path: Path) -> None:
    write_scene(tmp_path / "data" / "a.png", 4)
    index = open_index([tmp_path / "data"], cache=tmp_path / "cache")
    image, segments = read_sample(index, 0)
    expected_image, expected = scene(4)
    np.testing.assert_array_equal(image, expected_image)
    np.testing.assert_array_equal(segments.boxes, expected.boxes)
    assert segments.masks == expected.masks
    assert set(read_sample(index, 0, masks=False)[1].masks) == {EMPTY_MASK}


def test_ids_are_distinct_over_all_images_and_stay(tmp_path: Path) -> None:
    folders = [write_scenes(tmp_path / name, 3) for name in "ab"]  # both have ids 1, 2, ...
    index = open_index(folders, cache=tmp_path / "cache")
    ids = [read_sample(index, number)[1].ids for number in range(len(index))]
    everything = np.concatenate(ids)
    assert len(np.unique(everything)) == len(everything)
    assert everything.min() > 0
    np.testing.assert_array_equal(read_sample(index, 4)[1].ids, ids[4])


def test_what_cannot_be_used_is_named(tmp_path: Path) -> None:
    data = write_scenes(tmp_path / "data", 4)
    (data / "scene0000.jpg").write_bytes(b"no image")
    write_image(data / "scene0001.jpg", np.zeros((50, 60, 3), np.uint8))
    write_scene(data / "scene0002.jpg", 0, shapes=0)
    (data / "scene0003.jpg").write_bytes(b"")
    index = open_index([data], cache=tmp_path / "cache")
    for number, reason in enumerate(
        ("not an image", "60x50 px, its segments are of an image of 128x96", "0 segments", "not an")
    ):
        with pytest.raises(ValueError, match=rf"scene000{number}\.js?.*{reason}"):
            read_sample(index, number)
    (data / "scene0003.jpg").unlink()
    with pytest.raises(OSError, match="scene0003"):
        read_sample(index, 3)
