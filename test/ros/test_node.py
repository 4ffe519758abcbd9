"""The node on good and bad images: what it publishes, what it says of itself."""

from __future__ import annotations

import array
import time
from typing import Any

import cv2
import numpy as np
import pytest
from node_harness import (
    SECOND,
    header,
    image,
    losses,
    picture,
    stamp_ns,
)
from rosgraph_msgs.msg import Clock
from sensor_msgs.msg import CompressedImage, Image
from std_srvs.srv import Trigger

from masa_core.masks import decode_runs
from masa_ros.msg import Track
from masa_ros.srv import SetPrompt

STEP = SECOND // 30
START = 1000 * SECOND
LOSSLESS = {"queue_size": 100, "image_depth": 100}


def test_images_become_tracks(start: Any) -> None:
    _, robot = start()
    camera = robot.camera()
    for i in range(3):
        camera.publish(image(START + i * STEP))
        message = robot.tracks_at(START + i * STEP)
    assert message.header == header(START + 2 * STEP)
    assert (message.epoch, message.model) == (0, "fake")
    first, second = message.tracks
    assert (first.id, second.id) == (0, 1)
    assert (first.class_id, first.label, first.state) == ("person", 1, Track.CONFIRMED)
    assert (first.x_min, first.y_min, first.x_max, first.y_max) == (4, 4, 20, 16)
    assert first.score == pytest.approx(0.99)
    assert first.age == 3
    assert first.first_seen == header(START).stamp
    assert first.last_seen == message.header.stamp
    assert not first.embedding
    mask = first.mask
    assert (mask.x, mask.y, mask.width, mask.height) == (4, 4, 16, 12)
    assert decode_runs(bytes(mask.runs), 12, 16).all()


def test_tracks_are_published_as_vision_msgs_too(start: Any) -> None:
    vision = pytest.importorskip("vision_msgs.msg")
    _, robot = start()
    camera = robot.camera()
    detections = robot.record(vision.Detection2DArray, "masa/detections")
    robot.wait_heard("detections")
    camera.publish(image(START))
    robot.wait(lambda: detections, "masa/detections")
    assert detections[-1].header == header(START)
    seen = detections[-1].detections[1]
    assert seen.id == "1" and seen.results[0].hypothesis.class_id == "dog"
    assert (seen.bbox.center.position.x, seen.bbox.size_y) == (40.0, 20.0)


def bad_images(stamp: int) -> list[Image]:
    """One of each kind, with the reason it is counted by."""
    depth = image(stamp)
    depth.encoding = "16UC1"
    step = image(stamp + 1)
    step.step = 5
    short = image(stamp + 2)
    short.data = array.array("B", bytes(100))
    empty = Image(header=header(stamp + 3), encoding="bgr8")
    fails = image(stamp + 4, picture({}))
    fails.data[0] = 255
    unstamped = image(0)
    late = image(stamp - SECOND // 2)
    return [depth, step, short, empty, fails, unstamped, late]


def test_bad_images_are_named_and_no_good_one_is_lost(start: Any) -> None:
    tracker, robot = start(LOSSLESS)
    camera = robot.camera()
    good = [START + i * STEP for i in range(40)]
    sent = 0
    for number, stamp in enumerate(good):
        camera.publish(image(stamp))
        bad = bad_images(stamp + 100) if number % 4 == 3 else []
        for message in bad:
            camera.publish(message)
        sent += 1 + len(bad)
        time.sleep(0.01)  # the middleware keeps 100 messages, and there are more
    robot.tracks_at(good[-1])
    assert [stamp_ns(m) for m in robot.tracks] == good
    assert {tuple(t.id for t in m.tracks) for m in robot.tracks} == {(0, 1)}
    assert robot.tracks[-1].tracks[0].age == 40

    status = robot.settled(sent)
    assert losses(status) == {
        "bad image: encoding": 10, "bad image: step": 10, "bad image: data": 10,
        "bad image: size": 10, "internal error": 10, "has no stamp": 10, "out of order": 10,
    }  # fmt: skip
    assert "RuntimeError: told to fail (fake_tracker.py:" in tracker.log
    assert "encoding '16UC1' is not a picture" in tracker.log


def test_bad_images_of_each_camera_are_named(start: Any) -> None:
    tracker, robot = start({"cameras": "[front, left]"}, active=False)
    cameras = [robot.camera(topic=f"{name}/image") for name in ("front", "left")]
    for i in range(10):
        for camera in cameras:
            camera.publish(image(START + i * STEP, picture({})[..., 0], "16UC1"))
    robot.settled(10, "front")
    robot.settled(10, "left")
    for name in ("front", "left"):
        assert f"an image on /{name}/image cannot be used" in tracker.log


def test_images_that_are_all_lost_are_explained_once(start: Any) -> None:
    tracker, robot = start()
    camera = robot.camera()

    def told() -> bool:
        camera.publish(image(0))
        time.sleep(0.1)
        return "none was tracked" in tracker.log

    robot.wait(told, "a warning")
    begin = time.monotonic()
    robot.wait(lambda: told() and time.monotonic() > begin + 3, "more of the same")
    assert tracker.log.count("images come on /image, but for 5 s none was tracked") == 1
    assert "has no stamp (the camera driver must set header.stamp)" in tracker.log


def test_errors_in_a_row_begin_a_new_epoch(start: Any) -> None:
    """What is broken may be the tracker, and would be for good."""
    _, robot = start(LOSSLESS)
    camera = robot.camera()
    fails = picture({})
    fails[0, 0, 0] = 255
    epochs, sent = [], 0
    for errors in (2, 2, 3):
        for _ in range(errors):
            sent += 1
            camera.publish(image(START + sent * STEP, fails))
        robot.settled(sent)
        sent += 1
        camera.publish(image(START + sent * STEP))
        epochs.append(robot.tracks_at(START + sent * STEP).epoch)
    assert epochs == [0, 0, 1]


def test_compressed_images_and_remapping(start: Any) -> None:
    _, robot = start({"image_transport": "compressed"}, ["-r", "image:=/cam/image_raw"])
    camera = robot.camera(CompressedImage, "/cam/image_raw/compressed")
    message = CompressedImage(header=header(START), format="png")
    message.data = array.array("B", cv2.imencode(".png", picture({1: (4, 4, 20, 16)}))[1].tobytes())
    camera.publish(message)
    assert [t.id for t in robot.tracks_at(START).tracks] == [0]


def test_a_reset_and_a_jump_begin_new_epochs(start: Any) -> None:
    _, robot = start()
    camera = robot.camera()

    def track(stamp: int, objects: tuple[int, ...] = (1, 2)) -> tuple[int, list[int]]:
        places = {1: (4, 4, 20, 16), 2: (30, 20, 50, 40), 3: (4, 30, 20, 40)}
        camera.publish(image(stamp, picture({value: places[value] for value in objects})))
        message = robot.tracks_at(stamp)
        return message.epoch, [t.id for t in message.tracks]

    assert track(START, (3,)) == (0, [0])
    assert track(START + STEP) == (0, [1, 2])
    answer = robot.call(Trigger, "/masa_tracker/reset", Trigger.Request())
    assert answer.success and answer.message == "epoch of the next image: 1"
    assert track(START + 2 * STEP) == (1, [0, 1])
    assert track(START - 10 * SECOND) == (2, [0, 1])
    assert track(START - 10 * SECOND + STEP) == (2, [0, 1])
    assert robot.settled(5)["epoch"] == "2"


def test_a_clock_that_loops_begins_one_new_epoch(start: Any) -> None:
    _, robot = start({"use_sim_time": True})
    camera = robot.camera()
    clock = robot.camera(Clock, "/clock")

    def play(seconds: int) -> int:
        clock.publish(Clock(clock=header(seconds * SECOND).stamp))
        camera.publish(image(seconds * SECOND))
        return robot.tracks_at(seconds * SECOND).epoch

    assert [play(seconds) for seconds in (100, 101, 102)] == [0, 0, 0]
    assert [play(seconds) for seconds in (50, 51)] == [1, 1]
    clock.publish(Clock(clock=header(20 * SECOND).stamp))
    robot.wait(
        lambda: robot.status("camera")["epoch"] == "2", "the epoch of a clock without images"
    )
    assert play(52) == 2, "a clock jump counts, even if the stamps go on"


def test_parameters_change_while_it_runs(start: Any) -> None:
    _, robot = start()
    camera = robot.camera()

    def track(i: int) -> list[Track]:
        camera.publish(image(START + i * STEP))
        return robot.tracks_at(START + i * STEP).tracks

    assert len(track(0)) == 2
    assert robot.set_parameter("tracker.obj_score_thr", 0.985).successful
    assert robot.set_parameter("tracker.init_score_thr", 0.985).successful
    assert [t.id for t in track(1)] == [0]
    assert robot.set_parameter("classes", ["dog"]).successful
    assert track(2) == []
    assert robot.set_parameter("tracker.init_score_thr", 0.5).successful
    assert [t.class_id for t in track(3)] == ["dog"]
    assert robot.set_parameter("classes", [""]).successful
    assert robot.set_parameter("publish_embeddings", True).successful
    assert len(track(4)[0].embedding) == 256

    for name, value, reason in (
        ("tracker.init_score_thr", 1.5, "range"),
        ("tracker.init_score_thr", "high", "type"),
        ("tracker.memo_tracklet_frames", 0, "range"),
        ("model", "masa_r50", "read-only"),
        ("queue_size", 5, "read-only"),
        ("classes", ["dgo"], "unknown class 'dgo'; did you mean 'dog'"),
        ("tracker.no_such_thing", 1.0, "undeclared"),
    ):
        result = robot.set_parameter(name, value)
        assert not result.successful and reason in result.reason, (name, result.reason)
    assert len(track(5)) == 2, "a refused value changes nothing"


def test_pictures_are_made_only_for_subscribers(start: Any) -> None:
    _, robot = start()
    camera = robot.camera()
    camera.publish(image(START))
    robot.tracks_at(START)
    overlay = robot.record(Image, "masa/overlay")
    labels = robot.record(Image, "masa/label_image")
    robot.wait_heard("overlay")
    robot.wait_heard("label_image")
    camera.publish(image(START + STEP))
    robot.wait(lambda: overlay and labels, "pictures")
    drawn, labelled = overlay[0], labels[0]
    assert (drawn.encoding, drawn.width, drawn.height) == ("bgr8", 64, 48)
    assert drawn.data != image(0).data
    assert labelled.encoding == "16UC1"
    pixels = np.frombuffer(labelled.data, np.uint16).reshape(48, 64)
    assert pixels[10, 10] == 1 and pixels[30, 40] == 2 and pixels[0, 0] == 0
    assert stamp_ns(drawn) == START + STEP


def test_a_prompt_is_refused_with_what_to_do_instead(start: Any) -> None:
    _, robot = start()
    answer = robot.call(SetPrompt, "/masa_tracker/set_prompt", SetPrompt.Request(prompt="a dog"))
    assert not answer.success and "parameter classes" in answer.message


def test_a_prompt_changes_the_classes_and_begins_a_new_epoch(start: Any) -> None:
    _, robot = start({"prompt": "lorry tram bus"}, FAKE_PROMPT="1")
    camera = robot.camera()
    camera.publish(image(START))
    before = robot.tracks_at(START)
    assert (before.epoch, before.tracks[0].class_id) == (0, "tram")

    answer = robot.call(SetPrompt, "/masa_tracker/set_prompt", SetPrompt.Request(prompt=""))
    assert not answer.success and "empty" in answer.message
    request = SetPrompt.Request(prompt="cone sign tent")
    answer = robot.call(SetPrompt, "/masa_tracker/set_prompt", request)
    assert answer.success and answer.message == "looking for cone, sign, tent"
    camera.publish(image(START + STEP))
    after = robot.tracks_at(START + STEP)
    assert (after.epoch, after.tracks[0].class_id, after.tracks[0].age) == (1, "sign", 1)


def test_diagnostics_tell_rates_latencies_and_memory(start: Any) -> None:
    _, robot = start(LOSSLESS)
    camera = robot.camera()
    for i in range(30):
        camera.publish(image(START + i * STEP))
    robot.tracks_at(START + 29 * STEP)
    status = robot.settled(30)
    for stage in (
        "wait", "decode", "encode", "detect", "embed", "track", "masks", "publish", "total",
        "total from stamp",
    ):  # fmt: skip
        p50, p99 = float(status[f"{stage} p50 (ms)"]), float(status[f"{stage} p99 (ms)"])
        assert 0 <= p50 <= p99
    node = robot.status("node")
    assert node["state"] == "active" and int(node["memory (MiB)"]) > 10
    assert node["model"] == "fake" and node["level"] == "0"
