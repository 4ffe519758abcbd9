"""Detections from files: what each format means, and what is said of a file that is not right."""

from __future__ import annotations

import io
import json
import os
import pickle
from itertools import groupby
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masa_core.io.coco_rle import from_coco_rle, to_coco_rle
from masa_core.io.detection_entries import DetectionFileError
from masa_core.io.plain_pickle import read_plain_pickle
from masa_core.io.public_detections import read_detections
from masa_core.io.source import SourceFrame
from masa_core.io.writers import ScalabelWriter
from masa_core.masks import encode_mask
from masa_core.structures import Tracks

VIDEO, FOLDER, BAG = (SimpleNamespace(kind=kind) for kind in ("video", "folder", "bag"))
PIXEL = np.zeros((2, 2, 3), np.uint8)


def frame(index=0, name=""):
    return SourceFrame(PIXEL, 0, name or f"{index:06d}", index)


def written(path, content):
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def pickled(path, content, protocol=4):
    path.write_bytes(pickle.dumps(content, protocol))
    return path


# MOTChallenge text


def test_mot_frames_count_from_one(tmp_path):
    text = "1,-1,10,20,30,40.5,0.9,-1,-1,-1\n\n3,7,1,2,3,4\n3 -1 5 6 7 8 30.5\n"
    given = read_detections(written(tmp_path / "det.txt", text), VIDEO)
    first, second, third = (given.at(frame(i)) for i in range(3))
    assert first.boxes.tolist() == [[10, 20, 40, 60.5]] and first.scores.tolist() == [
        np.float32(0.9)
    ]
    assert len(second) == 0
    assert third.boxes.tolist() == [[1, 2, 4, 6], [5, 6, 12, 14]]
    assert third.scores.tolist() == [1, 30.5]
    assert given.classes == () and third.labels.tolist() == [0, 0]
    assert given.leftovers() == ""


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("2,-1,1,2,3", "5 columns"),
        ("2,-1,,2,3,4,1", "the box has '' where a number is expected"),
        ("0,-1,1,2,3,4,1", "0 is not a frame number; the first frame is 1"),
        ("1.5,-1,1,2,3,4,1", "1.5 is not a frame number"),
        ("2,-1,1,two,3,4,1", "the box has 'two' where a number is expected"),
        ("2,-1,1,2,3,4,nan", "the score has 'nan'"),
        ("2,-1,1,2,-3,4,1", "negative size: -3 x 4 px"),
        ("2,-1,1,1e999,3,4,1", "the box has '1e999'"),
        ("\x00\xff", "1 columns"),
    ],
)
def test_mot_errors_name_file_line_and_reason(tmp_path, line, reason):
    path = written(tmp_path / "det.txt", f"1,-1,1,2,3,4,1\n{line}\n")
    with pytest.raises(DetectionFileError) as error:
        read_detections(path, VIDEO)
    assert str(error.value).startswith(f"{path}:2: ") and reason in str(error.value)


def test_what_does_not_meet_is_told(tmp_path):
    path = written(tmp_path / "det.txt", "1,-1,1,2,3,4,1\n795,-1,1,2,3,4,1\n")
    given = read_detections(path, VIDEO)
    given.at(frame(0))
    assert given.leftovers() == f"{path}: 1 of its frames were not in the source (as 794)"


# Scalabel and COCO


def scalabel(name, index, video="", score=0.5, **label):
    box = {"x1": 1, "y1": 2, "x2": 11, "y2": 22}
    return {
        "name": name,
        "frameIndex": index,
        "videoName": video,
        "labels": [{"category": "car", "score": score, "box2d": box, **label}],
    }


def test_scalabel_as_this_package_writes_it(tmp_path):
    mask = encode_mask(np.eye(8, dtype=bool))
    tracks = Tracks([4], [[1.5, 2, 3, 4]], [0.25], [1], [1], [mask])
    writer = ScalabelWriter(tmp_path / "out.json", "clip", ("car", "dog"))
    image = np.zeros((8, 8, 3), np.uint8)
    writer.write(SourceFrame(image, 7, "a.png", 0), tracks)
    writer.write(SourceFrame(image, 8, "b.png", 1), Tracks.empty())
    writer.close()
    for source, key in ((FOLDER, {"name": "a.jpg", "index": 9}), (VIDEO, {"index": 0})):
        given = read_detections(tmp_path / "out.json", source)
        found = given.at(frame(**key))
        assert given.classes == ("car", "dog")
        assert found.boxes.tolist() == [[1.5, 2, 3, 4]] and found.labels.tolist() == [1]
        assert found.scores.tolist() == [0.25] and found.masks == [mask]
        assert len(given.at(frame(1, "b.jpg"))) == 0 and given.leftovers() == ""


def test_scalabel_of_bdd(tmp_path):
    tree = {
        "categories": [{"name": "vehicle", "subcategories": [{"name": "bus"}, {"name": "car"}]}]
    }
    frames = [scalabel("x-1.jpg", 0, "x"), {**scalabel("y-1.jpg", 0, "y"), "labels": None}]
    path = written(tmp_path / "det.json", {"frames": frames, "config": tree})
    with pytest.raises(DetectionFileError, match=r"holds 2 videos: say which one .* \(x, y"):
        read_detections(path, FOLDER)
    with pytest.raises(DetectionFileError, match=r"no video 'z'"):
        read_detections(path, FOLDER, video="z")
    given = read_detections(path, FOLDER, video="x")
    assert given.classes == ("bus", "car")
    assert given.at(frame(0, "x-1.jpg")).labels.tolist() == [1]
    assert len(given.at(frame(1, "x-2.jpg"))) == 0
    assert "1 frames of the source are not in it" in given.leftovers()
    assert len(read_detections(path, FOLDER, video="y").at(frame(0, "y-1.jpg"))) == 0
    assert read_detections(written(path, frames[:1]), VIDEO).classes == ("car",)  # a bare list


def coco(**annotation):
    return {
        "images": [
            {"id": 5, "file_name": "seq/b.jpg", "frame_id": 1},
            {"id": 3, "file_name": "seq/a.jpg", "frame_id": 0},
        ],
        "categories": [{"id": 17, "name": "cat"}, {"id": 2, "name": "bike"}],
        "annotations": [{"image_id": 5, "category_id": 17, "bbox": [1, 2, 3, 4], **annotation}],
    }


def test_coco_data_set_and_results(tmp_path):
    mask = encode_mask(np.ones((3, 2), bool), 1, 2)
    content = coco(segmentation=to_coco_rle(mask, 9, 7), score=0.75)
    content["annotations"].append({**content["annotations"][0], "iscrowd": 1})
    data = written(tmp_path / "data.json", content)
    results = written(tmp_path / "results.json", content["annotations"])
    given = [read_detections(data, source) for source in (FOLDER, VIDEO)]
    given.append(read_detections(results, FOLDER, images=data))
    for detections in given:
        found = detections.at(frame(1, "b.png"))
        assert found.boxes.tolist() == [[1, 2, 4, 6]] and found.scores.tolist() == [0.75]
        assert detections.classes == ("bike", "cat") and found.labels.tolist() == [1]
        assert found.masks == [mask]
        assert len(detections.at(frame(0, "a.png"))) == 0 and detections.leftovers() == ""
    with pytest.raises(DetectionFileError, match="give the data set"):
        read_detections(results, FOLDER)


def test_names_alone_do_not_tell_a_video_its_frames(tmp_path):
    content = coco()
    for image in content["images"]:
        del image["frame_id"]
    with pytest.raises(DetectionFileError, match="track the folder of these images"):
        read_detections(written(tmp_path / "data.json", content), VIDEO)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"frames": [\n{]', ":2: not JSON"),
        ({"something": 1}, "neither Scalabel"),
        ([], "holds no detections"),
        ("3", "neither Scalabel"),
        ({"frames": {"a": 1}}, "frames: not as the format has it"),
        ([scalabel("a", 0, box2d=None)], "frame 0 (a), label 0: not as the format has it"),
        ([scalabel("a", 0, box2d={"x1": 0})], "frame 0 (a), label 0: 'y1' is missing"),
        ([scalabel("a", 0, score="high")], "the score has 'high'"),
        ([{"name": "a", "labels": [{"box2d": {}}]}], "frame 0, label 0: 'category' is missing"),
        ({"images": [], "categories": [], "annotations": 3}, "annotations: not as the format"),
        ([scalabel("a", -1)], "frameIndex is -1"),
        ([scalabel("a", 0), scalabel("a", 0)], "two entries for frame 0"),
        ({"frames": [scalabel("a", 0)], "config": {"categories": [{"name": "b"}]}}, "not one of"),
        ([scalabel("a", 0, rle={"counts": "0", "size": [9, 9]})], "do not fill"),
        (coco(bbox=[1, 2, 3]), "annotation 0: not enough values"),
        (coco(image_id=1), "annotation 0: image_id 1 is not one of images"),
        (coco(category_id=1), "annotation 0: category_id 1 is not one of categories"),
        ({"images": [{"id": 1}], "categories": []}, "image 0: 'file_name' is missing"),
    ],
)
def test_json_errors_name_the_place(tmp_path, content, reason):
    path = written(tmp_path / "det.json", content)
    with pytest.raises(DetectionFileError) as error:
        read_detections(path, VIDEO)
    assert str(error.value).startswith(str(path)) and reason in str(error.value)


# Pickles


def official(masks=None, columns=5):
    boxes = np.array([[1, 2, 3, 4, 0.5], [5, 6, 7, 8, 0.25]], np.float32)[:, :columns]
    content = {"det_bboxes": boxes, "det_labels": np.array([3, 0])}
    return content if masks is None else {**content, "det_masks": masks}


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_official_pickles(tmp_path, protocol):
    mask = encode_mask(np.eye(5, dtype=bool))
    rle = to_coco_rle(mask, 5, 5)
    rle["counts"] = rle["counts"].encode()  # as pycocotools gives it
    pickled(tmp_path / "frame7.pkl", official([rle, rle]), protocol)
    empty = {"det_bboxes": np.zeros((0, 5), np.float32), "det_labels": np.zeros(0, np.int64)}
    pickled(tmp_path / "frame8.pkl", empty, protocol)
    given = read_detections(tmp_path, FOLDER)
    found = given.at(frame(name="frame7.jpg"))
    assert found.boxes.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert found.scores.tolist() == [0.5, 0.25] and found.labels.tolist() == [3, 0]
    assert found.masks == [mask, mask]
    assert len(given.at(frame(name="frame8.jpg"))) == 0


def test_one_pickle_of_all_frames(tmp_path):
    by_name = pickled(tmp_path / "names.pkl", {"a.jpg": official(columns=4)})
    assert read_detections(by_name, FOLDER).at(frame(name="a.png")).scores.tolist() == [1, 1]
    in_order = pickled(tmp_path / "list.pkl", [official(), official()])
    assert len(read_detections(in_order, VIDEO).at(frame(1))) == 2


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"a": 3}, "a: expected a dict with 'det_bboxes'"),
        ([{**official(), "det_labels": np.array([1])}], "frame 0: det_labels must be 2 numbers"),
        ([{**official(), "det_bboxes": np.zeros((2, 3))}], "has the shape (2, 3)"),
        ([official(masks=[{}])], "1 masks for 2 boxes"),
        ([official(masks=[np.eye(3), np.eye(3)])], "must be run lengths"),
        ([{**official(), "det_bboxes": np.full((2, 5), np.nan)}], "where a number is expected"),
    ],
)
def test_pickles_of_another_content(tmp_path, content, reason):
    path = pickled(tmp_path / "det.pkl", content)
    with pytest.raises(DetectionFileError) as error:
        read_detections(path, VIDEO)
    assert str(error.value).startswith(str(path)) and reason in str(error.value)


class Runs:
    """Calls a function when it is unpickled."""

    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


class Marked:
    pass


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
@pytest.mark.parametrize("name", ["system", "eval", "load", "getattr", "object", "open"])
def test_no_code_of_a_pickle_is_run(tmp_path, name, protocol):
    mark = tmp_path / "mark"
    attack = {
        "system": Runs(os.system, f"touch {mark}"),
        "eval": Runs(eval, f"open({str(mark)!r}, 'w')"),
        "load": Runs(np.load, str(mark)),
        "getattr": Runs(getattr, np.ndarray, "tofile"),
        "object": Marked(),
        "open": Runs(io.open, str(mark), "w"),
    }[name]
    path = pickled(tmp_path / "det.pkl", {**official(), "det_masks": [attack]}, protocol)
    with pytest.raises(DetectionFileError, match="could run code") as error:
        read_detections(path, FOLDER)
    assert str(path) in str(error.value) and not mark.exists()


def test_arrays_of_objects_are_refused(tmp_path):
    """Their raw bytes would be taken for pointers where the type's flags are forged."""
    for array in (np.array([{}, None], object), np.zeros(2, [("a", object)]), np.zeros(2, "V8")):
        with pytest.raises(ValueError, match="not of numbers or text"):
            read_plain_pickle(pickled(tmp_path / "det.pkl", array))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80\x04",
        b"cnumpy\nndarray\n(I99999999999\ntR.",  # an array of any size
        b"c__builtin__\nbytes\n(I99999999999\ntR.",
        b"cnumpy\ndtype\n(S'O8'\nI0\nI1\ntR.",
        b"(lp0\ng0\na.",  # a list that holds itself
        b"\x80\x04\x95\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"Pabc\n.",
        b"c_codecs\nencode\n(Vabc\nVzlib\ntR.",
    ],
)
def test_damaged_and_forged_pickles(tmp_path, data):
    path = tmp_path / "det.pkl"
    path.write_bytes(data)
    with pytest.raises(DetectionFileError, match=r"det\.pkl"):
        read_detections(path, FOLDER)


@given(st.binary(max_size=60))
def test_any_bytes_as_pickle(tmp_path_factory, data):
    path = tmp_path_factory.getbasetemp() / "any.pkl"
    path.write_bytes(data)
    try:
        read_plain_pickle(path)
    except ValueError as error:
        assert str(path) in str(error)


def test_what_is_named_twice_is_read_once(tmp_path):
    """A kilobyte of lists in lists must not become 2^40 of them."""
    nested = [np.arange(3)]
    for _ in range(40):
        nested = [nested, nested]
    found = read_plain_pickle(pickled(tmp_path / "det.pkl", nested))
    assert found[0] is found[1]


plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text()
    | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner),
    max_leaves=8,
)


@given(plain, st.integers(0, pickle.HIGHEST_PROTOCOL))
def test_plain_values_come_back_as_they_were(tmp_path_factory, value, protocol):
    path = tmp_path_factory.getbasetemp() / "plain.pkl"
    assert read_plain_pickle(pickled(path, value, protocol)) == value


@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_come_back_as_they_were(tmp_path, protocol):
    arrays = [
        np.arange(6, dtype=">i2").reshape(2, 3),
        np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        np.array(["a", "bcd"]),
        np.array([True, False]),
        np.zeros((0, 5), np.float32),
        np.array(2.5),
    ]
    found = read_plain_pickle(pickled(tmp_path / "a.pkl", [*arrays, np.float32(1.5)], protocol))
    for array, expected in zip(found, arrays, strict=False):
        assert array.dtype == expected.dtype and np.array_equal(array, expected)
    assert found[-1] == 1.5


# What is common to all


def test_unusable_paths(tmp_path):
    for name in ("missing.txt", "det.csv", "folder"):
        path = tmp_path / name
        if name == "folder":
            path.mkdir()
        elif name == "det.csv":
            path.write_text("1")
        with pytest.raises(DetectionFileError, match=name):
            read_detections(path, FOLDER)


def test_pickles_named_by_stamp_find_the_images_of_a_bag(tmp_path):
    pickled(tmp_path / "1700000000123456789.pkl", official())
    given = read_detections(tmp_path, BAG)
    assert len(given.at(frame(4, "1700000000123456789"))) == 2


@given(st.integers(1, 9), st.integers(1, 9), st.data())
def test_masks_from_coco_run_lengths(height, width, data):
    bits = data.draw(st.integers(0, 2 ** (height * width) - 1))
    pixels = np.array([bits >> i & 1 for i in range(height * width)], bool).reshape(height, width)
    rle = to_coco_rle(encode_mask(pixels), height, width)
    assert from_coco_rle(rle) == encode_mask(pixels)
    columns = pixels.T.ravel().tolist()
    runs = [0] if columns[0] else []
    runs += [len(list(run)) for _, run in groupby(columns)]
    assert from_coco_rle({"counts": runs, "size": [height, width]}) == encode_mask(pixels)


@pytest.mark.parametrize(
    "rle",
    [
        {"size": [3, 3]},
        {"counts": "1", "size": [3, 3]},
        {"counts": [3, -1, 7], "size": [3, 3]},
        {"counts": "o", "size": [3, 3]},
        {"counts": "\u20ac", "size": [3, 3]},
        {"counts": b"\x00", "size": [3, 3]},
        {"counts": "oooooooooooo0", "size": [3, 3]},
        {"counts": [9], "size": [9]},
        {"counts": None, "size": [3, 3]},
    ],
)
def test_damaged_run_lengths(rle):
    with pytest.raises(ValueError, match="run lengths"):
        from_coco_rle(rle)
