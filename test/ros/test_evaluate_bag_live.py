"""`masa evaluate-bag --live`: the bag through player and node over DDS."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from node_harness import ROOT, picture

sys.path.insert(0, str(ROOT / "test" / "unit"))
from bag_drives import write_json
from fakes import START_NS, BagMaker

pytest.importorskip("trackeval")

PERIOD_NS = 100_000_000
FRAMES = 24
EVERY = 2  # so manieth image is labelled
ROOM = {"queue_size": 100, "image_depth": 100, "join_size": 100}  # for every frame: no drops


def boxes(index: int) -> dict[int, tuple[int, int, int, int]]:
    """Two objects that pass each other."""
    left, right = 8 + 4 * index, 110 - 4 * index
    return {1: (left, 20, left + 30, 60), 2: (right, 70, right + 30, 110)}


@pytest.fixture
def drive(tmp_path: Path) -> Path:
    """A bag with images on /front/image, detections and, beside it, a truth."""
    random = np.random.default_rng(0)
    with BagMaker(tmp_path / "drive") as bag:
        types = bag.store.types
        array, row = types["masa_ros/msg/DetectionArray"], types["masa_ros/msg/Detection"]
        mask = types["masa_ros/msg/Mask"](0, 0, 0, 0, np.zeros(0, np.uint8))
        texture = random.integers(0, 255, (2, 40, 30, 3), np.uint8)
        for index in range(FRAMES):
            image = picture(boxes(index), 160, 120)
            for value, (x1, y1, x2, y2) in boxes(index).items():
                image[y1:y2, x1:x2, 1:] = texture[value - 1, :, :, 1:]
            stamp_ns = START_NS + index * PERIOD_NS
            bag.image("/front/image", stamp_ns, image)
            found = [row("car", 0, 0.9, *map(float, box), mask) for box in boxes(index).values()]
            detections = array(bag.header(stamp_ns), found)
            bag.write("/found", detections, stamp_ns + PERIOD_NS // 4)
    frames = [
        {
            "name": str(index),
            "videoName": "drive",
            "frameIndex": index // EVERY,
            "attributes": {"stamp_ns": str(START_NS + index * PERIOD_NS)},
            "labels": [
                {
                    "id": str(value),
                    "category": "car",
                    "box2d": dict(zip(("x1", "y1", "x2", "y2"), box, strict=True)),
                }
                for value, box in boxes(index).items()
            ],
        }
        for index in range(0, FRAMES, EVERY)
    ]
    write_json(tmp_path / "drive" / "truth.json", frames)
    return tmp_path / "drive"


def evaluate_bag(drive: Path, output: str, *arguments: str, **environment: str):
    """Run as `ros2 run masa_ros evaluate_bag`; the process, and figures.json if there is one."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    folder = drive.parent / output
    command = [sys.executable, str(ROOT / "scripts/evaluate_bag"), str(drive)]
    done = subprocess.run(
        [*command, "--output", str(folder), *arguments],
        env={**os.environ, "PYTHONPATH": path, **environment},
        capture_output=True,
        text=True,
        timeout=240,
    )
    figures = folder / "figures.json"
    return done, json.loads(figures.read_text()) if figures.exists() else None


def params_file(drive: Path, **parameters: object) -> str:
    path = drive.parent / "room.yaml"
    path.write_text(yaml.safe_dump({"/**": {"ros__parameters": parameters}}))
    return str(path)


def labels(folder: Path) -> list:
    return [
        frame["labels"] for frame in json.loads((folder / "results.json").read_text())["frames"]
    ]


def test_with_time_for_every_frame_the_node_finds_what_the_offline_run_finds(drive):
    common = ("--detections", "/found")
    done, offline = evaluate_bag(drive, "offline", *common)
    assert done.returncode == 0, done.stderr
    room = params_file(drive, **ROOM)
    done, live = evaluate_bag(
        drive,
        "live",
        *common,
        "--live",
        "--deadline",
        "60",
        "--params-file",
        room,
        "--baseline",
        str(drive.parent / "offline/figures.json"),
    )
    assert done.returncode == 0, done.stderr
    assert live["live"]["images_played"] == live["live"]["answered_in_time"] == FRAMES
    assert live["live"]["lost_by_cause"] == {}
    assert 0 < live["live"]["latency"]["p50_ms"] <= live["live"]["latency"]["max_ms"] < 60_000
    assert live["configuration"]["node"]["queue_size"] == 100
    assert live["configuration"]["parameters"] == offline["configuration"]["parameters"]
    assert live["sha256"] == offline["sha256"]
    found, expected = labels(drive.parent / "live"), labels(drive.parent / "offline")
    assert len(found) == FRAMES // EVERY and sum(map(len, expected)) > FRAMES // EVERY
    for got, want in zip(found, expected, strict=True):
        assert [row["id"] for row in got] == [row["id"] for row in want]
        for one, other in zip(got, want, strict=True):
            assert list(one["box2d"].values()) == pytest.approx(list(other["box2d"].values()))
    assert live["events"] == offline["events"]
    page = (drive.parent / "live/report.html").read_text()
    assert "In real time" in page and page.count('class="on-time"') > FRAMES


def test_what_comes_after_the_deadline_counts_for_nothing(drive):
    room = params_file(drive, **ROOM)
    done, figures = evaluate_bag(
        drive,
        "late",
        "--detections",
        "/found",
        "--live",
        "--deadline",
        "1e-6",
        "--params-file",
        room,
    )
    assert done.returncode == 0, done.stderr
    assert figures["live"]["answered_late"] == FRAMES
    assert figures["frames"]["answered"] == 0
    everything = figures["figures"]["all_objects"]["figures"]
    assert everything["HOTA"]["HOTA"] == 0
    assert everything["CLEAR"]["FN"] == 2 * FRAMES // EVERY


def test_a_slow_node_that_runs_already_pays_for_what_it_drops(drive, start):
    delay = {"FAKE_DELAY_S": "0.35"}
    arguments = ["-r", "image:=/front/image"]
    _, robot = start({"use_sim_time": True, "queue_size": 1}, arguments, **delay)
    variables = {"ROS_DOMAIN_ID": str(robot.node.context.get_domain_id())}
    done, figures = evaluate_bag(drive, "slow", "--live", "--running", **variables)
    assert done.returncode == 0, done.stderr
    live = figures["live"]
    assert live["images_played"] == FRAMES
    assert live["never_answered"] > FRAMES // 3
    assert live["answered_in_time"] + live["answered_late"] + live["never_answered"] == FRAMES
    assert sum(live["lost_by_cause"].values()) == live["never_answered"]
    assert figures["configuration"]["parameters"]["init_score_thr"] == 0.8  # masa_tao's
    lost = figures["frames"]["scored"] - figures["frames"]["answered"]
    assert figures["figures"]["all_objects"]["figures"]["CLEAR"]["FN"] >= 2 * lost > 0


def test_failures_are_told_with_their_place(drive):
    wrong = params_file(drive, queue_sise=3)
    done, figures = evaluate_bag(drive, "wrong", "--live", "--params-file", wrong)
    assert (done.returncode, figures) == (1, None)
    assert "the node ended with exit code 1: see" in done.stderr
    assert "queue_size" in (drive.parent / "wrong/node.log").read_text()
    done, _ = evaluate_bag(drive, "none", "--live", "--detections", "/fund")
    assert done.returncode == 1 and "the bag has /found" in done.stderr
    done, _ = evaluate_bag(drive, "none", "--live", "--everything")
    assert done.returncode == 1 and "--everything is not for --live" in done.stderr
