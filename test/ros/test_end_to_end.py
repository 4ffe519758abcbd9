"""The shipped drive through player and node over DDS, against `masa track` on the same frames."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import rclpy
import yaml
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from std_msgs.msg import Header

from masa_core import Tracks
from masa_core.assets import share_path
from masa_core.cli import main as masa
from masa_core.io.bag import BagReader
from masa_core.io.bag_writer import TRACKS_TOPIC
from masa_core.io.class_names import ClassNames
from masa_core.io.track_messages import tracks_of
from masa_core.masks import encode_mask
from masa_ros.bag_recorder import BagRecorder
from masa_ros.conversions import track_array
from masa_ros.demo_drive import write_drive
from masa_ros.demo_report import read_recording
from masa_ros.demo_run import RunError, play_and_record
from masa_ros.msg import TrackArray
from masa_ros.private_domain import private_domain

ROOT = Path(__file__).parents[2]
FRAMES = 60
DEMO = yaml.safe_load(share_path("config/demo.yaml").read_text())["/**"]["ros__parameters"]


@pytest.fixture(autouse=True)
def ros(monkeypatch):
    """A domain of its own for this process and those it starts, which run this checkout."""
    with private_domain() as variables:
        path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
        for name, value in {**variables, "PYTHONPATH": path}.items():
            monkeypatch.setenv(name, value)
        yield


def parameters(folder, **changes):
    """The demo's, with room for every frame: this machine may be slow."""
    changed = {**DEMO, "queue_size": 100, "image_depth": 100, **changes}
    file = folder / "parameters.yaml"
    file.write_text(yaml.safe_dump({"/**": {"ros__parameters": changed}}))
    return file


def test_node_publishes_what_masa_track_finds(tmp_path):
    drive = write_drive(tmp_path, FRAMES)
    run = play_and_record(tmp_path, drive.bag, drive.frames, parameters(tmp_path))
    assert run.frames_sent == FRAMES

    offline = tmp_path / "offline"
    assert masa(["track", str(drive.bag), "--bag", str(offline)]) == 0

    published, expected = read_recording(run.bag), read_recording(offline)
    assert published.lost == {}
    assert [stamp - run.offset_ns for stamp in published.tracks] == list(expected.tracks)
    assert sum(map(len, expected.tracks.values())) > 2 * FRAMES  # there is something to compare
    assert published.classes == expected.classes
    for got, want in zip(published.tracks.values(), expected.tracks.values(), strict=True):
        for column in ("ids", "labels", "states", "ages"):
            assert getattr(got, column).tolist() == getattr(want, column).tolist()
        np.testing.assert_allclose(got.boxes, want.boxes, atol=1e-3)
        np.testing.assert_allclose(got.scores, want.scores, atol=1e-5)
        np.testing.assert_allclose(got.velocities, want.velocities, rtol=1e-3, atol=1e-2)
        assert (got.first_seen_ns - run.offset_ns).tolist() == want.first_seen_ns.tolist()


def demo(folder, *arguments):
    command = [sys.executable, "-m", "masa_ros.demo", "--output", str(folder), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=300)


def test_demo_leaves_what_it_promises(tmp_path):
    done = demo(tmp_path, "--frames", "30", "--params-file", str(parameters(tmp_path)))
    assert done.returncode == 0, done.stderr
    report = json.loads((tmp_path / "report.json").read_text())
    assert (report["frames_sent"], report["frames_processed"], report["lost"]) == (30, 30, {})
    assert report["ids"] >= 3 and report["tracks"] >= 60
    assert 0 < report["latency_p50_ms"] <= report["latency_p99_ms"]
    assert (tmp_path / "report.txt").read_text().strip() in done.stdout
    assert cv2.imread(str(tmp_path / "contact_sheet.png")).shape[1] > 1000
    video = cv2.VideoCapture(str(tmp_path / "overlay.mp4"))
    assert video.get(cv2.CAP_PROP_FRAME_COUNT) == 30
    assert len(read_recording(tmp_path / "tracks").tracks) == 30


def test_demo_fails_where_nothing_is_tracked(tmp_path):
    tracker = {"init_score_thr": 1.0}
    done = demo(
        tmp_path, "--frames", "10", "--params-file", str(parameters(tmp_path, tracker=tracker))
    )
    assert done.returncode == 1
    assert "not one object was tracked" in done.stderr and "node.log" in done.stderr


def test_a_node_that_cannot_start_is_told_with_its_log(tmp_path):
    drive = write_drive(tmp_path, 5)
    with pytest.raises(RunError, match=r"exit code 1.*node\.log"):
        play_and_record(tmp_path, drive.bag, 5, parameters(tmp_path, queue_sise=3))
    assert "queue_size" in (tmp_path / "node.log").read_text()


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["/nowhere"], "has no topic /nowhere: it has /image/compressed"),
        (["/image/compressed", "--wait", "0.1"], "nobody subscribed to /image/compressed"),
    ],
)
@pytest.mark.parametrize(
    ("module", "options"),
    [("bag_player", []), ("bag_replay", ["--images", "/image/compressed", "--log", "times.txt"])],
)
def test_a_player_that_cannot_play_says_why(tmp_path, module, options, arguments, reason):
    drive = write_drive(tmp_path, 2)
    command = [sys.executable, "-m", f"masa_ros.{module}", str(drive.bag), *arguments, *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1 and reason in done.stderr


def all_columns():
    """Tracks with everything that a message can hold."""
    ring = np.zeros((40, 50), bool)
    ring[5:35, 10:45] = True
    ring[15:25, 20:30] = False
    return Tracks(
        ids=[2**40, 7],
        boxes=[[0.5, -1.25, 45.0, 35.0], [1, 2, 3, 4]],
        scores=[0.75, 0.5],
        labels=[1, 0],
        states=[1, 2],
        masks=[encode_mask(ring, x=-3, y=4), encode_mask(np.zeros((2, 2), bool))],
        ages=np.array([100, 1]),
        first_seen_ns=np.array([5, 1_700_000_000_123_456_789]),
        last_seen_ns=np.array([6, 1_700_000_001_000_000_000]),
        velocities=np.array([[1.5, -2.5], [0, 0]], np.float32),
        embeddings=np.arange(8, dtype=np.float32).reshape(2, 4),
    )


def test_recorded_messages_are_read_back_whole(tmp_path):
    sent = [all_columns(), Tracks.empty()]
    context = Context()
    rclpy.init(context=context)
    node = rclpy.create_node("recorded", context=context)
    executor = SingleThreadedExecutor(context=context)
    executor.add_node(node)
    recorder = BagRecorder(node, tmp_path / "bag", {TRACKS_TOPIC: "masa_ros/msg/TrackArray"})
    publisher = node.create_publisher(TrackArray, TRACKS_TOPIC, 10)
    end = time.monotonic() + 30
    while publisher.get_subscription_count() == 0 and time.monotonic() < end:
        time.sleep(0.02)
    names = ClassNames(["bicycle", "Straßenbahn"])
    for tracks in sent:
        header = Header(frame_id="camera")
        publisher.publish(track_array(tracks, header, 3, "model", names, with_embeddings=True))
    while recorder.counts[TRACKS_TOPIC] < len(sent) and time.monotonic() < end:
        executor.spin_once(timeout_sec=0.1)
    recorder.close()
    executor.shutdown()
    node.destroy_node()
    context.shutdown()

    with BagReader(tmp_path / "bag") as reader:
        messages = [reader.decode(message) for message in reader.messages()]
    assert [(m.epoch, m.model, m.header.frame_id) for m in messages] == [(3, "model", "camera")] * 2
    assert [track.class_id for track in messages[0].tracks] == ["Straßenbahn", "bicycle"]
    for row, track in enumerate(messages[0].tracks):
        assert track.embedding.tolist() == sent[0].embeddings[row].tolist()
    for message, want in zip(messages, sent, strict=True):
        got = tracks_of(message)
        assert len(got) == len(want) and (got.masks or []) == (want.masks or [])
        for column in ("ids", "boxes", "scores", "labels", "states"):
            assert getattr(got, column).tolist() == getattr(want, column).tolist()
    got = tracks_of(messages[0])
    for column in ("ages", "first_seen_ns", "last_seen_ns", "velocities"):
        assert getattr(got, column).tolist() == getattr(sent[0], column).tolist()
