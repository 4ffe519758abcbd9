"""Detections from a topic, in both message types, joined to their images by stamp."""

from __future__ import annotations

import math
import time
from array import array
from typing import Any

import numpy as np
import pytest
from node_harness import SECOND, header, image, losses, stamp_ns

from masa_core.masks import encode_mask
from masa_ros.msg import Detection, DetectionArray

STEP = SECOND // 30
START = 1000 * SECOND
BOXES = ((4.0, 4.0, 20.0, 16.0), (30.0, 20.0, 50.0, 40.0))  # of the harness's objects
PARAMETERS = {"detector": "topic", "queue_size": 100, "image_depth": 100, "join_size": 5}


def masa(stamp: int, boxes: Any = BOXES) -> DetectionArray:
    message = DetectionArray(header=header(stamp))
    for x1, y1, x2, y2 in boxes:
        row = Detection(class_id="tram", label=42, score=0.9)
        row.x_min, row.y_min, row.x_max, row.y_max = x1, y1, x2, y2
        message.detections.append(row)
    return message


def vision(stamp: int, boxes: Any = BOXES) -> Any:
    from vision_msgs.msg import Detection2D, Detection2DArray, ObjectHypothesisWithPose

    message = Detection2DArray(header=header(stamp))
    for x1, y1, x2, y2 in boxes:
        row = Detection2D(header=header(stamp))
        row.bbox.center.position.x, row.bbox.center.position.y = (x1 + x2) / 2, (y1 + y2) / 2
        row.bbox.size_x, row.bbox.size_y = x2 - x1, y2 - y1
        guess, best = ObjectHypothesisWithPose(), ObjectHypothesisWithPose()
        guess.hypothesis.class_id, guess.hypothesis.score = "bus", 0.2
        best.hypothesis.class_id, best.hypothesis.score = "tram", 0.9
        row.results = [guess, best]
        message.detections.append(row)
    return message


@pytest.fixture(params=["masa_ros", "vision_msgs"])
def kind(request: Any) -> tuple[str, Any]:
    """The name of a message type, and what makes such messages."""
    if request.param == "vision_msgs":
        pytest.importorskip("vision_msgs.msg")
    return request.param, {"masa_ros": masa, "vision_msgs": vision}[request.param]


def test_detections_are_joined_to_their_images(start: Any, kind: Any) -> None:
    name, make = kind
    # The model has no detector of its own, and needs none.
    _, robot = start({**PARAMETERS, "detections_type": name}, FAKE_DETECTOR="0")
    camera = robot.camera()
    detector = robot.camera(type(make(0)), "detections")
    tracked, late = [], START + 3 * STEP
    for i in range(20):
        stamp = START + i * STEP
        if stamp == late:
            camera.publish(image(stamp))  # its detections come after those of the next one
            continue
        if i % 2:
            detector.publish(make(stamp))
            camera.publish(image(stamp))
        else:
            camera.publish(image(stamp))
            detector.publish(make(stamp))
        tracked.append(stamp)
        robot.tracks_at(stamp)
        if stamp == late + STEP:
            detector.publish(make(late))
    assert [stamp_ns(m) for m in robot.tracks] == tracked
    for message in robot.tracks:
        assert [t.id for t in message.tracks] == [0, 1]
        assert {t.class_id for t in message.tracks} == {"tram"}
        assert {t.label for t in message.tracks} == {42 if name == "masa_ros" else -1}
    first = robot.tracks[-1].tracks[0]
    assert (first.x_min, first.y_min, first.x_max, first.y_max) == BOXES[0]
    status = robot.settled(20)
    assert losses(status) == {"no detections came": 1}
    assert status["left out: detections: late"] == "1"


def test_detections_with_stamps_of_their_own_are_explained(start: Any) -> None:
    tracker, robot = start({**PARAMETERS, "detections_type": "masa_ros"})
    camera = robot.camera()
    detector = robot.camera(DetectionArray, "detections")
    stamp = START

    def told() -> bool:
        nonlocal stamp
        stamp += STEP
        camera.publish(image(stamp))
        detector.publish(masa(stamp + 1))
        time.sleep(0.03)
        return "none was tracked" in tracker.log

    robot.wait(told, "a warning")
    assert "no detections came (detections must have exactly the stamp" in tracker.log
    assert "nothing has come" not in tracker.log


def test_empty_detections_age_the_tracks(start: Any, kind: Any) -> None:
    """With the default tracker, which forgets by time."""
    name, make = kind
    _, robot = start(
        {
            **PARAMETERS,
            "detections_type": name,
            "tracker.preset": "masa_plus",
            "tracker.memory_s": 0.5,
            "tracker.tentative_memory_s": 0.5,
            "tracker.coast_s": 0.0,
        }
    )
    camera = robot.camera()
    detector = robot.camera(type(make(0)), "detections")

    def track(i: int, boxes: Any) -> list[int]:
        stamp = START + i * STEP
        camera.publish(image(stamp))
        detector.publish(make(stamp, boxes))
        return [t.id for t in robot.tracks_at(stamp).tracks]

    for i in range(3):
        assert track(i, [BOXES[0]]) == [0]
    for i in range(3, 40):
        assert track(i, []) == []
    assert track(40, [BOXES[0]]) == [1]


def test_bad_detections_are_named_and_no_good_one_is_lost(start: Any, kind: Any) -> None:
    name, make = kind
    _, robot = start({**PARAMETERS, "detections_type": name})
    camera = robot.camera()
    detector = robot.camera(type(make(0)), "detections")
    bad = [
        (math.nan, 4.0, 20.0, 16.0),
        (4.0, 4.0, math.inf, 16.0),
        (20.0, 16.0, 4.0, 4.0),
        (500.0, 500.0, 510.0, 510.0),
    ]
    for i in range(10):
        stamp = START + i * STEP
        camera.publish(image(stamp))
        detector.publish(make(stamp, [BOXES[0], *bad, BOXES[1]]))
        robot.tracks_at(stamp)
    assert [[t.id for t in m.tracks] for m in robot.tracks] == [[0, 1]] * 10
    status = robot.settled(10)
    begin = "left out: detections: "
    left_out = {key[len(begin) :]: n for key, n in status.items() if key.startswith(begin)}
    assert left_out == {
        "not a finite number": "20",
        "box without an area": "10",
        "box outside of the image": "10",
    }


def test_masks_of_a_detector_are_kept(start: Any) -> None:
    _, robot = start({**PARAMETERS, "detections_type": "masa_ros"})
    camera = robot.camera()
    detector = robot.camera(DetectionArray, "detections")
    message = masa(START)
    runs = encode_mask(np.eye(6, dtype=bool)).runs
    mask = message.detections[1].mask
    mask.x, mask.y, mask.width, mask.height, mask.runs = 30, 20, 6, 6, array("B", runs)
    broken = message.detections[0].mask
    broken.width, broken.height, broken.runs = 6, 6, array("B", b"\x80\x80")
    camera.publish(image(START))
    detector.publish(message)
    tracks = robot.tracks_at(START).tracks
    assert [t.mask.width for t in tracks] == [0, 6]
    assert bytes(tracks[1].mask.runs) == runs
    status = robot.settled(1)
    assert status["left out: detections: mask does not fit"] == "1"


def test_a_prompt_belongs_to_the_detector(start: Any) -> None:
    from masa_ros.srv import SetPrompt

    _, robot = start({"detector": "topic"})
    answer = robot.call(SetPrompt, "/masa_tracker/set_prompt", SetPrompt.Request(prompt="a dog"))
    assert not answer.success and "come from a topic" in answer.message
