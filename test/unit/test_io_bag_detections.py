"""Detections on a topic of a bag, joined to the images by their stamps."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fakes import BagMaker, ColourModel, picture
from rosbags.typesys import get_types_from_msg

import masa_core
from masa_core import cli
from masa_core.io import SourceError, SourceFrame
from masa_core.io.bag import BagReader, bag_typestore
from masa_core.io.bag_detections import BagDetections

SECOND = 1_000_000_000
VISION = {  # as vision_msgs of Humble and later define them, in the fields that are read
    "ObjectHypothesis": "string class_id\nfloat64 score",
    "ObjectHypothesisWithPose": "vision_msgs/ObjectHypothesis hypothesis",
    "Point2D": "float64 x\nfloat64 y",
    "Pose2D": "vision_msgs/Point2D position\nfloat64 theta",
    "BoundingBox2D": "vision_msgs/Pose2D center\nfloat64 size_x\nfloat64 size_y",
    "Detection2D": "vision_msgs/ObjectHypothesisWithPose[] results\nvision_msgs/BoundingBox2D bbox",
    "Detection2DArray": "std_msgs/Header header\nvision_msgs/Detection2D[] detections",
}


def masa_array(bag: BagMaker, stamp_ns: int, *rows: tuple[Any, ...]) -> Any:
    types = bag.store.types
    detections = [
        types["masa_ros/msg/Detection"](
            class_id=class_id,
            label=-1,
            score=score,
            x_min=box[0],
            y_min=box[1],
            x_max=box[2],
            y_max=box[3],
            mask=types["masa_ros/msg/Mask"](0, 0, 0, 0, np.zeros(0, np.uint8)),
        )
        for class_id, score, box in rows
    ]
    return types["masa_ros/msg/DetectionArray"](bag.header(stamp_ns), detections)


def frame(stamp_ns: int, received_ns: int | None = None) -> SourceFrame:
    return SourceFrame(picture(0), stamp_ns, "", 0, "", received_ns)


def test_images_get_the_detections_of_their_own_stamp(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        for at in (3, 1, 2, 5):  # published in another order than the images
            array = masa_array(bag, at * SECOND, ("car", 0.5, (at, 0, at + 9, 9)))
            bag.write("/detections", array, 5 * SECOND + at)
        bag.write("/detections", masa_array(bag, 6 * SECOND), 6 * SECOND)
    detections = BagDetections(tmp_path / "bag", "/detections")
    for at in (1, 2, 3):
        found = detections.at(frame(at * SECOND, at * SECOND))
        assert found is not None and found.boxes.tolist() == [[at, 0, at + 9, 9]]
    assert detections.at(frame(4 * SECOND, 4 * SECOND)) is None
    assert detections.at(frame(5 * SECOND + 1, 5 * SECOND + 1)) is None  # 1 ns off
    empty = detections.at(frame(6 * SECOND, 6 * SECOND))
    assert empty is not None and len(empty) == 0
    detections.close()


def test_memory_is_bounded_where_no_stamp_fits(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        for at in range(200):
            bag.write("/detections", masa_array(bag, at * SECOND + 1), at * SECOND)
    detections = BagDetections(tmp_path / "bag", "/detections")
    for at in range(200):
        assert detections.at(frame(at * SECOND, at * SECOND)) is None
        assert len(detections._waiting) <= 2 * 10 + 2
    detections.close()


def test_what_cannot_be_used_is_counted(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        rows = [("car", 0.5, (0, 0, 9, 9)), ("car", float("nan"), (0, 0, 9, 9))]
        bag.write("/detections", masa_array(bag, 1, *rows), 1)
        bag.raw("/detections", "masa_ros/msg/DetectionArray", b"\0\1\0\0 damaged", 2)
    detections = BagDetections(tmp_path / "bag", "/detections")
    found = detections.at(frame(1))
    assert found is not None and len(found) == 1
    assert detections.at(frame(2)) is None
    assert {reason: n for reason, n in detections.ignored.items() if n} == {
        "detections: not a finite number": 1,
        "message cannot be decoded": 1,
    }
    detections.close()


def test_a_topic_without_detections_is_refused(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "bag") as bag:
        bag.image("/camera", 1, picture(0))
    with pytest.raises(SourceError, match="no detections on '/camera'; it has no detections"):
        BagDetections(tmp_path / "bag", "/camera")
    with BagMaker(tmp_path / "other") as bag:
        bag.write("/boxes", masa_array(bag, 1), 1)
    with pytest.raises(SourceError, match="did you mean '/boxes'"):
        BagDetections(tmp_path / "other", "/box")


def test_masa_track_takes_the_boxes_and_classes_of_the_topic(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(masa_core, "load_model", lambda *args, **options: ColourModel())
    monkeypatch.setattr(ColourModel, "has_detector", False)
    store = bag_typestore()
    for name, text in VISION.items():
        store.register(get_types_from_msg(text, f"vision_msgs/msg/{name}"))
    types = {name: store.types[f"vision_msgs/msg/{name}"] for name in VISION}

    def detection(class_id: str, box: tuple[float, ...]) -> Any:
        hypothesis = types["ObjectHypothesisWithPose"](types["ObjectHypothesis"](class_id, 0.9))
        centre = types["Pose2D"](types["Point2D"](box[0], box[1]), 0.0)
        return types["Detection2D"]([hypothesis], types["BoundingBox2D"](centre, *box[2:]))

    with BagMaker(tmp_path / "bag") as bag:
        for at in range(6):
            bag.image("/camera", at * SECOND, picture(at))
            if at != 4:
                boxes = [("van", (8.0 + at, 10.0, 12.0, 12.0)), ("cow", (50.0, 50.0, 8.0, 8.0))]
                array = types["Detection2DArray"](
                    bag.header(at * SECOND), [detection(*box) for box in boxes]
                )
                bag.write("/detections", array, at * SECOND, store)
    monkeypatch.chdir(tmp_path)
    options = ["--detections", "/detections", "--tracker", "masa_tao", "--bag", "out"]
    assert cli.main(["track", "bag", *options, "--classes", "van"]) == 0
    assert "1 frames left out (no detections)" in capsys.readouterr().err
    with BagReader("out") as reader:
        arrays = [reader.decode(message) for message in reader.messages("/masa/tracks")]
    assert [array.header.stamp.sec for array in arrays] == [0, 1, 2, 3, 5]
    for array in arrays:
        (track,) = array.tracks
        assert (track.id, track.class_id, track.label) == (0, "van", -1)
        assert track.x_min == 2 + array.header.stamp.sec
    assert cli.main(["track", "bag", "--bag", "again"]) == 1  # the model has no detector
    assert "no detector" in capsys.readouterr().err
