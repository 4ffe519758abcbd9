"""Results of tracking on disk: what was written comes back, and only whole files appear."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import BagMaker, picture, write_bag
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from masa_core.io import SourceFrame, open_source
from masa_core.io.atomic import AtomicText, write_text
from masa_core.io.bag import BagReader
from masa_core.io.bag_writer import BagWriter
from masa_core.io.class_names import ClassNames
from masa_core.io.coco_rle import to_coco_rle
from masa_core.io.overlay_video import OverlayWriter
from masa_core.io.track_messages import tracks_of
from masa_core.io.writers import MotWriter, ResultWriter, ScalabelWriter
from masa_core.masks import encode_mask
from masa_core.structures import Mask, Tracks

HEIGHT, WIDTH = 12, 16
CLASSES = ("car", 'a "quoted", cläss')


@st.composite
def tracks(draw: st.DrawFn, with_masks: bool | None = None) -> Tracks:
    ids = draw(st.lists(st.integers(0, 2**62), max_size=5, unique=True))
    count = len(ids)
    coordinate = st.floats(-1000, 5000, width=32)
    boxes = draw(arrays(np.float32, (count, 4), elements=coordinate))
    pixels = draw(arrays(np.bool_, (count, HEIGHT, WIDTH)))
    masks = None
    if draw(st.booleans()) if with_masks is None else with_masks:
        masks = [encode_mask(mask) for mask in pixels]
    stamps = draw(arrays(np.int64, (2, count), elements=st.integers(0, 2**31 * 10**9 - 1)))
    return Tracks(
        ids=ids,
        boxes=boxes,
        scores=draw(arrays(np.float32, count, elements=st.floats(0, 1, width=32))),
        labels=draw(arrays(np.int64, count, elements=st.integers(-1, len(CLASSES) - 1))),
        states=draw(arrays(np.uint8, count, elements=st.integers(0, 2))),
        masks=masks,
        ages=draw(arrays(np.int64, count, elements=st.integers(0, 2**32 - 1))),
        first_seen_ns=stamps[0],
        last_seen_ns=stamps[1],
        velocities=draw(arrays(np.float32, (count, 2), elements=coordinate)),
    )


def frame(index: int) -> SourceFrame:
    image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    stamp_ns = index * 40_000_000 + 7
    return SourceFrame(image, stamp_ns, f"{index}.jpg", index, "front", stamp_ns + 1000)


def write_all(writer: ResultWriter, results: list[Tracks]) -> None:
    for index, result in enumerate(results):
        writer.write(frame(index), result)
    writer.close()


@settings(max_examples=40)
@given(st.lists(tracks(), min_size=1, max_size=4))
def test_mot_text_round_trip(tmp_path_factory: pytest.TempPathFactory, many: list[Tracks]) -> None:
    path = tmp_path_factory.mktemp("mot") / "out.txt"
    write_all(MotWriter(path), many)
    rows = [line.split(",") for line in path.read_text().splitlines()]
    assert all(len(row) == 10 and row[7:] == ["-1"] * 3 for row in rows)
    for index, result in enumerate(many):
        mine = [row for row in rows if int(row[0]) == index + 1]
        assert [int(row[1]) for row in mine] == result.ids.tolist()
        numbers = np.array([row[2:7] for row in mine], float).reshape(-1, 5)
        assert np.allclose(numbers[:, :2], result.boxes[:, :2], atol=1e-3)
        corners = numbers[:, :2] + numbers[:, 2:4]
        assert np.allclose(corners, result.boxes[:, 2:], atol=2e-3)
        assert np.allclose(numbers[:, 4], result.scores, atol=1e-5)


@settings(max_examples=40)
@given(st.lists(tracks(), min_size=1, max_size=4))
def test_scalabel_round_trip(tmp_path_factory: pytest.TempPathFactory, many: list[Tracks]) -> None:
    path = tmp_path_factory.mktemp("scalabel") / "out.json"
    write_all(ScalabelWriter(path, "drive", CLASSES), many)
    content = json.loads(path.read_text())
    assert [entry["frameIndex"] for entry in content["frames"]] == list(range(len(many)))
    assert [category["name"] for category in content["config"]["categories"]] == list(CLASSES)
    for entry, result in zip(content["frames"], many, strict=True):
        assert entry["videoName"] == "drive"
        assert entry["attributes"]["stamp_ns"] == str(frame(entry["frameIndex"]).stamp_ns)
        labels = entry["labels"]
        assert [label["id"] for label in labels] == [str(id_) for id_ in result.ids]
        names = [CLASSES[label] if label >= 0 else "object" for label in result.labels]
        assert [label["category"] for label in labels] == names
        boxes = [[label["box2d"][edge] for edge in ("x1", "y1", "x2", "y2")] for label in labels]
        assert np.allclose(np.array(boxes).reshape(-1, 4), result.boxes, atol=1e-3)
        assert all(("rle" in label) == (result.masks is not None) for label in labels)


@settings(max_examples=15)  # each writes and reads a bag, a fifth of a second
@given(st.lists(tracks(), min_size=1, max_size=4))
def test_bag_round_trip(tmp_path_factory: pytest.TempPathFactory, many: list[Tracks]) -> None:
    path = tmp_path_factory.mktemp("bag") / "out"
    write_all(BagWriter(path, ClassNames(CLASSES), "a model"), many)
    with BagReader(path) as reader:
        recorded = list(reader.messages("/masa/tracks"))
        messages = [reader.decode(message) for message in recorded]
    for index, (message, result) in enumerate(zip(messages, many, strict=True)):
        original = frame(index)
        stamp = message.header.stamp
        assert stamp.sec * 10**9 + stamp.nanosec == original.stamp_ns
        assert (message.header.frame_id, message.model) == ("front", "a model")
        assert recorded[index].received_ns == original.received_ns
        names = [CLASSES[label] if label >= 0 else "" for label in result.labels]
        assert [track.class_id for track in message.tracks] == names
        assert_same(tracks_of(message), result)


def assert_same(got: Tracks, wanted: Tracks) -> None:
    for name, column in vars(wanted).items():
        if name == "masks":
            empty = [Mask(0, 0, 0, 0, b"")] * len(wanted)
            assert (got.masks or empty) == (column or empty)
        elif name != "embeddings":
            assert np.array_equal(getattr(got, name), column), name


@given(
    pixels=arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))),
    x=st.integers(-9, 20),
    y=st.integers(-9, 20),
)
def test_coco_masks_are_those_of_pycocotools(pixels: np.ndarray, x: int, y: int) -> None:
    coco = pytest.importorskip("pycocotools.mask")
    painted = np.zeros((40, 40), np.uint8)  # the frame is rows and columns 10..22 and 10..26
    painted[10 + y : 10 + y + pixels.shape[0], 10 + x : 10 + x + pixels.shape[1]] = pixels
    painted = painted[10 : 10 + HEIGHT, 10 : 10 + WIDTH]
    rle = to_coco_rle(encode_mask(pixels, x, y), HEIGHT, WIDTH)
    wanted: dict[str, Any] = coco.encode(np.asfortranarray(painted))
    assert rle == {"counts": wanted["counts"].decode(), "size": [HEIGHT, WIDTH]}


def test_a_known_coco_mask() -> None:
    block = np.zeros((5, 7), bool)
    block[1:4, 2:6] = True
    # Runs down the columns: 11 3 2 3 2 3 2 3 6. From the fourth on less the one two before it:
    # 11 3 2 0 0 0 0 0 4, and each is below 16: one character.
    assert to_coco_rle(encode_mask(block), 5, 7) == {"counts": ";32000004", "size": [5, 7]}


def all_writers(folder: Path) -> list[ResultWriter]:
    return [
        MotWriter(folder / "out.txt"),
        ScalabelWriter(folder / "out.json", "drive", CLASSES),
        BagWriter(folder / "out_bag", ClassNames(CLASSES), "model"),
        OverlayWriter(folder / "out.mp4", 25, CLASSES),
    ]


def test_results_appear_when_they_are_whole_and_replace_older_ones(tmp_path: Path) -> None:
    for name in ("out.txt", "out.json", "out.mp4"):
        (tmp_path / name).write_text("old")
    writers = all_writers(tmp_path)
    for writer in writers:
        writer.write(frame(0), Tracks.empty())
        assert not writer.path.exists() or writer.path.read_text() == "old"
        writer.close()
    assert (tmp_path / "out.txt").read_text() == ""
    assert json.loads((tmp_path / "out.json").read_text())["frames"][0]["labels"] == []
    names = {"out.txt", "out.json", "out_bag", "out.mp4"}
    assert {path.name for path in tmp_path.iterdir()} == names


def test_discarded_results_leave_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "out.txt").write_text("old")
    for writer in all_writers(tmp_path):
        writer.write(frame(0), Tracks.empty())
        writer.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]
    assert (tmp_path / "out.txt").read_text() == "old"


def test_a_text_that_cannot_be_finished_leaves_what_was_there(tmp_path: Path) -> None:
    (tmp_path / "out.txt").write_text("old")
    with pytest.raises(ZeroDivisionError), AtomicText(tmp_path / "out.txt") as file:
        file.write(f"{1 / 0}")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError):
        write_text(tmp_path / "folder", "new")  # a folder lies in its place
    assert {path.name for path in tmp_path.iterdir()} == {"out.txt", "folder"}
    assert (tmp_path / "out.txt").read_text() == "old"
    write_text(tmp_path / "out.txt", "new")
    assert (tmp_path / "out.txt").read_text() == "new"


def test_a_scalabel_file_without_frames_is_valid(tmp_path: Path) -> None:
    ScalabelWriter(tmp_path / "out.json", "drive", ()).close()
    assert json.loads((tmp_path / "out.json").read_text())["frames"] == []


def test_a_bag_is_never_written_over(tmp_path: Path) -> None:
    write_bag(tmp_path / "bag", 1)
    with pytest.raises(FileExistsError, match="not written over"):
        BagWriter(tmp_path / "bag", ClassNames(CLASSES), "model")
    with open_source(tmp_path / "bag") as source:
        assert len(list(source)) == 1


def test_a_copied_bag_holds_its_input_up_to_the_last_frame(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "in") as bag:
        for index in range(6):
            bag.image("/camera", index * 100, picture(index))
            bag.write("/imu", bag.header(index), index * 100 + 50)
        bag.write("/masa/tracks", bag.header(0), 0)
    writer = BagWriter(tmp_path / "out", ClassNames(CLASSES), "model", copy_from=tmp_path / "in")
    for index in range(3):
        image = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
        writer.write(SourceFrame(image, index * 100, "", index, "", index * 100), Tracks.empty())
    writer.close()
    assert list(writer.not_copied) == ["/masa/tracks"]
    with BagReader(tmp_path / "out") as out, BagReader(tmp_path / "in") as original:
        assert out.counts == {"/camera": 3, "/imu": 2, "/masa/tracks": 3}
        copied = list(out.messages("/camera", "/imu"))
        assert copied == [m for m in original.messages("/camera", "/imu") if m.received_ns <= 200]


def test_copy_rest_takes_what_was_recorded_after_the_last_frame(tmp_path: Path) -> None:
    write_bag(tmp_path / "in", 4)
    writer = BagWriter(tmp_path / "out", ClassNames(CLASSES), "model", copy_from=tmp_path / "in")
    writer.write(frame(0), Tracks.empty())
    writer.copy_rest()
    writer.close()
    with BagReader(tmp_path / "out") as out:
        assert out.counts == {"/masa/tracks": 1, "/camera": 4}


@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_an_overlay_has_every_frame_and_the_size_of_the_first(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"take%02d:1{suffix}"
    writer = OverlayWriter(path, 29.973, ())
    seen = Tracks([3], [[8, 8, 40, 40]], [0.9], [0], [1])
    for index in range(10):
        size = (64, 96) if index < 5 else (128, 192)  # height, width: the camera was changed
        grey = np.full((*size, 3), 128, np.uint8)
        writer.write(SourceFrame(grey, index, "", index), seen)
    writer.close()
    with open_source(path) as source:
        frames = list(source)
    assert len(frames) == 10 and abs(source.fps - 29.97) < 0.01
    assert {item.image.shape for item in frames} == {(64, 96, 3)}
    assert np.ptp(frames[0].image[8, 8:40].astype(int), axis=1).max() > 60  # a coloured line


def test_an_overlay_of_another_kind_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.mp4 or \.webm"):
        OverlayWriter(tmp_path / "out.avi", 25, ())
