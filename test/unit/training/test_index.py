"""The index: which images there are, found once, and drawn as their weights say."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from scenes import write_scene, write_scenes

from training import index as index_module
from training.index import ImageFolder, open_index


def names(index) -> list[str]:
    return [index.image_path(number).name for number in range(len(index))]


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Two nested folders; one image has no segments, one file of segments no image."""
    root = tmp_path / "data"
    write_scenes(root / "b" / "deep", 2)
    write_scene(root / "a" / "x.png", 9)
    write_scene(root / "z.JPG", 10)
    write_scene(root / "lonely.jpg", 11).with_suffix(".json").unlink()
    write_scene(root / "b" / "orphan.jpg", 12).unlink()
    write_scene(root / ".hidden" / "h.jpg", 13)
    return root


def test_images_with_segments_are_found_in_nested_folders(data: Path, tmp_path: Path) -> None:
    index = open_index([data], cache=tmp_path / "cache")
    assert names(index) == ["z.JPG", "x.png", "scene0000.jpg", "scene0001.jpg"]
    assert index.json_path(1) == data / "a" / "x.json"
    assert index.without_segments == 1
    with pytest.raises(IndexError):
        index.image_path(4)


def test_the_list_is_made_once(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = open_index([data], cache=tmp_path / "cache")
    monkeypatch.setattr(index_module, "walk", None)
    again = open_index([data], cache=tmp_path / "cache")
    assert (names(again), again.digest) == (names(first), first.digest)
    copied = pickle.loads(pickle.dumps(again))  # as for a worker process
    assert names(copied) == names(first)
    assert len(pickle.dumps(again)) < 2000  # maps the list, does not carry it


@pytest.mark.parametrize("change", ["add", "remove", "rename", "segments", "folder"])
def test_the_list_is_made_anew_when_files_change(data: Path, tmp_path: Path, change: str) -> None:
    before = open_index([data], cache=tmp_path / "cache")
    deep = data / "b" / "deep"
    if change == "add":
        write_scene(deep / "new.jpg", 20)
    elif change == "remove":
        (deep / "scene0000.jpg").unlink()
    elif change == "rename":
        (deep / "scene0000.jpg").rename(deep / "scene0002.jpg")
    elif change == "segments":
        (data / "lonely.json").write_text("{}")
    else:
        write_scene(data / "c" / "new.jpg", 20)
    after = open_index([data], cache=tmp_path / "cache")
    expected = {"add": 5, "remove": 3, "rename": 3, "segments": 5, "folder": 5}
    assert len(after) == expected[change]
    assert after.digest != before.digest
    assert len(names(before)) == 4  # one that is open goes on as it was


def test_a_damaged_list_is_made_anew(data: Path, tmp_path: Path) -> None:
    open_index([data], cache=tmp_path / "cache")
    (file,) = (tmp_path / "cache").iterdir()
    for damaged in (b"", b"nonsense" * 40, file.read_bytes()[:-3]):
        file.write_bytes(damaged)
        assert len(open_index([data], cache=tmp_path / "cache")) == 4


def test_segments_may_lie_in_a_folder_of_their_own(data: Path, tmp_path: Path) -> None:
    (tmp_path / "json" / "b" / "deep").mkdir(parents=True)
    moved = tmp_path / "json" / "b" / "deep" / "scene0001.json"
    (data / "b" / "deep" / "scene0001.json").rename(moved)
    index = open_index([ImageFolder(data, tmp_path / "json")], cache=tmp_path / "cache")
    assert names(index) == ["scene0001.jpg"]
    assert index.json_path(0) == moved


def test_links_are_followed_but_not_in_circles(data: Path, tmp_path: Path) -> None:
    (tmp_path / "linked").mkdir()
    os.symlink(data, tmp_path / "linked" / "data")
    os.symlink(tmp_path / "linked", data / "back")
    assert len(open_index([tmp_path / "linked"], cache=tmp_path / "cache")) == 4


def test_any_file_name_will_do(tmp_path: Path) -> None:
    for name in ("a b.jpg", "漢字.jpg", os.fsdecode(b"\xff.jpg"), "two.dots.jpg"):
        write_scene(tmp_path / "data" / name, 1)
    index = open_index([tmp_path / "data"], cache=tmp_path / "cache")
    assert sorted(names(index)) == sorted(
        ["a b.jpg", "漢字.jpg", os.fsdecode(b"\xff.jpg"), "two.dots.jpg"]
    )
    assert all(index.json_path(number).exists() for number in range(4))


def test_images_are_drawn_by_weight(tmp_path: Path) -> None:
    write_scenes(tmp_path / "a", 6)
    write_scenes(tmp_path / "b", 2)
    index = open_index([tmp_path / "a", tmp_path / "b"], [1, 3], tmp_path / "cache")
    drawn = [index.draw(np.random.RandomState((1, number))) for number in range(4000)]
    share = np.bincount(drawn, minlength=8) / 4000
    np.testing.assert_allclose(share[:6], 1 / 12, atol=0.02)
    np.testing.assert_allclose(share[6:], 3 / 12, atol=0.03)
    assert drawn[:9] == [index.draw(np.random.RandomState((1, number))) for number in range(9)]


def test_a_cache_that_cannot_be_written_is_named(data: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match=r"file.*Not a directory\): name another .* XDG_CACHE_HOME"):
        open_index([data], cache=tmp_path / "file" / "index")


def test_what_is_wrong_is_said(data: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    with pytest.raises(ValueError, match="no folder"):
        open_index([], cache=cache)
    with pytest.raises(ValueError, match="no folder"):
        open_index([data / "nowhere"], cache=cache)
    with pytest.raises(ValueError, match=r"positive numbers, not \[0"):
        open_index([data], [0], cache)
    with pytest.raises(ValueError, match="1 folders and 2 weights"):
        open_index([data], [1, 2], cache)
    (tmp_path / "none").mkdir()
    (data / "lonely.jpg").rename(tmp_path / "none" / "lonely.jpg")
    with pytest.raises(ValueError, match=r"1 have none.*training\.segments"):
        open_index([tmp_path / "none"], cache=cache)
