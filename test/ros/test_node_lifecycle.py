"""The node's life: transitions, the process around it, what it says when it cannot work."""

from __future__ import annotations

import time
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from node_harness import SECOND, Robot, Tracker, image
from sensor_msgs.msg import CompressedImage, Image

from masa_ros.msg import TrackArray

STEP = SECOND // 30
START = 1000 * SECOND


def resident_mib(tracker: Tracker) -> float:
    pages = int(Path(f"/proc/{tracker.process.pid}/statm").read_text().split()[1])
    return pages * 4096 / (1 << 20)


def threads(tracker: Tracker) -> int:
    return len(list(Path(f"/proc/{tracker.process.pid}/task").iterdir()))


def publishers(robot: Robot) -> int:
    return len(robot.node.get_publishers_info_by_topic("/masa/tracks"))


def test_up_and_down_twenty_times_without_a_leak(start: Any) -> None:
    tracker, robot = start({"autostart": False}, active=False)
    camera = robot.publisher(Image, "image")
    assert robot.state() == "unconfigured" and publishers(robot) == 0
    stamp, measured = START, []

    def tracked() -> bool:
        """Sends images until tracks arrive: both ends must find each other first."""
        nonlocal stamp
        stamp += STEP
        camera.publish(image(stamp))
        return len(robot.tracks) > count

    for cycle in range(20):
        count = len(robot.tracks)
        for transition in ("configure", "activate"):
            assert robot.change_state(transition), transition
        robot.wait(tracked, "tracks")
        assert robot.tracks[-1].epoch == cycle, "an epoch is used once"
        assert robot.change_state("deactivate")
        robot.wait(lambda: camera.get_subscription_count() == 0, "an end of the subscription")
        count = len(robot.tracks)
        assert not tracked()
        assert robot.change_state("cleanup")
        robot.wait(lambda: publishers(robot) == 0, "an end of the publisher")
        assert len(robot.tracks) == count, "an inactive node published"
        measured.append((resident_mib(tracker), threads(tracker)))
    assert robot.state() == "unconfigured"
    settled, last = measured[4], measured[-1]
    assert last[0] < settled[0] + 8, measured  # MiB; the fake model alone holds 8
    assert last[1] <= settled[1], measured


def test_what_waits_when_it_is_stopped_is_counted(start: Any) -> None:
    _, robot = start({"queue_size": 100, "image_depth": 100}, FAKE_DELAY_S="0.5")
    camera = robot.camera()
    for i in range(10):
        camera.publish(image(START + i * STEP))
    robot.tracks_at(START)
    robot.wait(lambda: int(robot.status("camera")["images received"]) == 10, "ten images")
    assert robot.change_state("deactivate")
    status = robot.settled(10)
    assert int(status["lost: stopped"]) > 0
    assert status["message"] == "not active"
    assert robot.status("node")["message"].startswith("inactive: waits for")
    count = len(robot.tracks)
    assert robot.change_state("activate")
    robot.wait_heard()
    robot.camera().publish(image(START + 20 * STEP))
    assert robot.tracks_at(START + 20 * STEP).epoch == 1
    assert len(robot.tracks) == count + 1


@pytest.mark.parametrize("transition", [5, 6, 7], ids=["unconfigured", "inactive", "active"])
def test_shutdown_in_any_state(start: Any, transition: int) -> None:
    from lifecycle_msgs.srv import ChangeState

    tracker, robot = start({"autostart": False}, active=False)
    for step in ("configure", "activate")[: transition - 5]:
        assert robot.change_state(step)
    request = ChangeState.Request()
    request.transition.id = transition
    assert robot.call(ChangeState, "/masa_tracker/change_state", request).success
    assert robot.state() == "finalized"
    tracker.interrupt()
    assert tracker.wait() == 0, tracker.log


@pytest.mark.parametrize("busy", [False, True])
def test_two_interrupts_end_it_well(start: Any, busy: bool) -> None:
    tracker, robot = start(FAKE_DELAY_S="1" if busy else "0")
    if busy:
        robot.camera().publish(image(START))
        robot.wait(lambda: robot.status("camera")["images received"] == "1", "an image")
    robot.tracker = None  # it may end now
    tracker.interrupt()
    time.sleep(0.05)
    tracker.interrupt()
    assert tracker.wait() == 0, tracker.log
    assert "Traceback" not in tracker.log


def test_an_unknown_parameter_in_the_file_ends_it_with_the_nearest_name(
    start: Any, tmp_path: Path
) -> None:
    file = tmp_path / "params.yaml"
    file.write_text("/**:\n  ros__parameters:\n    queue_sise: 3\n    tracker: {coast: 1.0}\n")
    arguments = ["--params-file", str(file), "-p", "tracker.preset:=masa_plus"]
    tracker, _ = start(arguments=arguments, active=False)
    assert tracker.wait() == 1
    assert "unknown parameter queue_sise; did you mean 'queue_size'?" in tracker.log
    assert "unknown parameter tracker.coast; did you mean 'tracker.coast_s'?" in tracker.log
    assert "Traceback" not in tracker.log


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ({"model": "broken"}, "the model file is broken"),
        ({"classes": "[dgo]"}, "unknown class 'dgo'; did you mean 'dog'?"),
        ({"tracker.init_score_thr": 2.0}, "tracker.init_score_thr is 2.0, must be in 0.0..1.0"),
        ({"detector": "proposals"}, "fake has no proposals"),
        ({"vocabulary": "classes.npy"}, "for the detector of model masa_detic"),
    ],
)
def test_what_cannot_be_configured_ends_it_with_the_reason(
    start: Any, parameters: dict[str, Any], says: str
) -> None:
    tracker, _ = start(parameters, active=False)
    assert tracker.wait() == 1
    assert says in tracker.log


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--params-file", "missing.yaml"], "missing.yaml"),
        (["--nonsense"], "cannot begin with these arguments: ['--nonsense']"),
        (["-p", "use_sim_time:=5"], "use_sim_time"),
    ],
)
def test_what_ros_itself_refuses_ends_it_without_a_stack_trace(
    start: Any, arguments: list[str], says: str
) -> None:
    tracker, _ = start(arguments=arguments, active=False)
    assert tracker.wait() == 1
    assert says in tracker.log and "[FATAL]" in tracker.log
    assert "Traceback" not in tracker.log


def test_a_model_without_a_detector_needs_detections(start: Any) -> None:
    tracker, robot = start({"autostart": False}, active=False, FAKE_DETECTOR="0")
    assert not robot.change_state("configure")
    assert robot.state() == "unconfigured" and publishers(robot) == 0
    assert "set parameter detector to topic" in tracker.log


def test_no_image_is_explained_once(start: Any) -> None:
    tracker, robot = start()
    robot.publisher(Image, "/cam/front")
    robot.publisher(CompressedImage, "/cam/front/compressed")
    robot.wait(lambda: "nothing has come on /image" in tracker.log, "a warning")
    status = robot.status("camera")
    assert status["level"] == "1" and status["message"].startswith("no image for ")
    assert tracker.log.count("nothing has come on") == 1
    assert "/cam/front (sensor_msgs/msg/Image), /cam/front/compressed (" in tracker.log
    assert "/masa/" not in tracker.log, "its own topics are no answer"


def test_a_best_effort_camera_is_explained_and_can_be_heard(start: Any) -> None:
    tracker, robot = start()
    camera = robot.publisher(Image, "image", best_effort=True)
    robot.wait(lambda: "set parameter image_reliability to best_effort" in tracker.log, "a warning")

    tracker, robot = start({"image_reliability": "best_effort"})
    camera = robot.publisher(Image, "image", best_effort=True)
    robot.wait(lambda: camera.get_subscription_count() > 0, "a subscription")
    stamps = count(START, STEP)

    def heard() -> bool:  # the first may be lost: the camera finds the node before it is found
        camera.publish(image(next(stamps)))
        time.sleep(0.2)
        return bool(robot.tracks)

    robot.wait(heard, "tracks")
    assert robot.tracks[0].tracks


def test_a_namespace_moves_every_topic(start: Any) -> None:
    _, robot = start(arguments=["-r", "__ns:=/robot1"], active=False)
    tracks = robot.record(TrackArray, "/robot1/masa/tracks")
    camera = robot.camera(topic="/robot1/image")
    robot.wait_heard()
    camera.publish(image(START))
    robot.wait(lambda: tracks, "tracks")
