"""More images than the model can take, and more cameras than one."""

from __future__ import annotations

import time
from typing import Any

from node_harness import SECOND, image, losses, picture, stamp_ns

from masa_ros.msg import TrackArray

STEP = SECOND // 30
START = 1000 * SECOND


def test_under_overload_the_newest_wins_and_every_loss_is_counted(start: Any) -> None:
    _, robot = start({"image_depth": 100}, FAKE_DELAY_S="0.2")
    camera = robot.camera()
    for i in range(60):
        camera.publish(image(START + i * STEP))
        time.sleep(0.02)
    newest = START + 59 * STEP
    robot.tracks_at(newest)
    status = robot.settled(60)
    assert set(losses(status)) == {"replaced by newer"}
    assert int(status["images tracked"]) == len(robot.tracks) < 40
    stamps = [stamp_ns(m) for m in robot.tracks]
    assert stamps == sorted(stamps)
    assert [t.id for t in robot.tracks[-1].tracks] == [0, 1]
    levels = [s.level for m in robot.diagnostics for s in m.status if s.name.endswith("camera")]
    assert b"\x01" in levels, "losses are worth a warning"


def test_cameras_share_the_model_fairly_and_keep_their_own_ids(start: Any) -> None:
    _, robot = start({"cameras": "[front, left]"}, active=False, FAKE_DELAY_S="0.05")
    front, left = (robot.camera(topic=f"{name}/image") for name in ("front", "left"))
    seen = {name: robot.record(TrackArray, f"masa/{name}/tracks") for name in ("front", "left")}
    robot.wait_heard("tracks", "front")
    robot.wait_heard("tracks", "left")
    alone = picture({3: (4, 4, 20, 16)})
    for i in range(60):  # the front camera alone is more than the model can take
        front.publish(image(START + i * STEP))
        if i % 10 == 0:
            left.publish(image(START + i * STEP, alone))
        time.sleep(0.02)
    last = START + 59 * STEP
    robot.wait(lambda: seen["front"] and stamp_ns(seen["front"][-1]) == last, "the last image")
    assert losses(robot.settled(6, "left")) == {}, "a busy camera must not starve another"
    robot.settled(60, "front")
    assert [stamp_ns(m) for m in seen["left"]] == [START + i * STEP for i in range(0, 60, 10)]
    assert {tuple(t.id for t in m.tracks) for m in seen["front"]} == {(0, 1)}
    assert {tuple(t.id for t in m.tracks) for m in seen["left"]} == {(0,)}
    assert robot.tracks == [], "nobody publishes masa/tracks"


def test_what_the_middleware_pushes_out_is_counted(start: Any) -> None:
    _, robot = start({"image_depth": 1, "queue_size": 100})
    camera = robot.camera()
    camera.publish(image(START))
    robot.tracks_at(START)
    for i in range(1, 201):
        camera.publish(image(START + i * STEP))
    robot.tracks_at(START + 200 * STEP)
    status = robot.status("camera")
    pushed_out = int(status["images lost by the middleware"])
    assert pushed_out > 0, "one place for 200 images at once"
    assert int(status["images received"]) + pushed_out == 201
