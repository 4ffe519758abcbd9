"""The installed launch file and executable, as a user of ROS 2 starts them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from ament_index_python.packages import get_package_prefix
from launch_stub import LaunchFile, command_line
from node_harness import PATIENCE_S, Robot

from masa_ros.private_domain import private_domain

ROOT = Path(__file__).parents[2]


@pytest.fixture
def prefix() -> Path:
    try:
        return Path(get_package_prefix("masa_ros"))
    except LookupError as error:
        pytest.skip(f"the ROS package is not installed: {error}")


@contextmanager
def running(command: list[str], log: Path) -> Iterator[tuple[subprocess.Popen[bytes], Robot]]:
    """The process and a robot on a domain of their own."""
    with private_domain() as variables, log.open("wb") as output:
        robot = Robot(int(variables["ROS_DOMAIN_ID"]))
        process = subprocess.Popen(
            command,
            env={**os.environ, **variables},
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process, robot
        finally:
            robot.close()
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def interrupt(process: subprocess.Popen[Any], log: Path) -> None:
    """As Ctrl-C in a terminal does, which reaches all processes started there."""
    os.killpg(process.pid, signal.SIGINT)
    assert process.wait(PATIENCE_S) == 0, log.read_text()


def test_executable_starts_as_launch_would_start_it(prefix, tmp_path, monkeypatch):
    node, _ = LaunchFile(monkeypatch).start(image_topic="/front/image_raw", log_level="debug")
    monkeypatch.undo()  # the stubs hide modules that are needed now
    executable = prefix / "lib" / "masa_ros" / node.kwargs["executable"]
    log = tmp_path / "log"
    with running([sys.executable, str(executable), *command_line(node)], log) as (process, robot):
        assert robot.state() == "unconfigured"  # launch configures it, not the node itself
        assert robot.change_state("configure"), log.read_text()
        assert robot.change_state("activate"), log.read_text()
        robot.wait(
            lambda: robot.node.count_subscribers("/front/image_raw"), "a subscription to the image"
        )
        interrupt(process, log)


def test_installed_files_are_those_of_the_checkout(prefix):
    for name in ("launch/tracker.launch.py", "config/tracker.yaml", "config/fastdds_shm.xml"):
        installed = prefix / "share" / "masa_ros" / name
        assert installed.read_text() == (ROOT / name).read_text()


@pytest.fixture
def ros2_launch(prefix) -> Callable[..., list[str]]:
    """The command, for some arguments, where ROS 2 has it."""
    pytest.importorskip("launch_ros")
    if shutil.which("ros2") is None:
        pytest.skip("there is no ros2 command")
    return lambda *arguments: ["ros2", "launch", "masa_ros", "tracker.launch.py", *arguments]


def test_launch_shows_its_arguments(ros2_launch, monkeypatch):
    command = ros2_launch("--show-args")
    shown = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for name in LaunchFile(monkeypatch).defaults:
        assert f"'{name}':" in shown


def test_launch_brings_the_node_up(ros2_launch, tmp_path):
    log = tmp_path / "log"
    command = ros2_launch("image_topic:=/front/image_raw", "use_sim_time:=true")
    with running(command, log) as (process, robot):
        robot.wait(lambda: robot.state() == "active", "an active node")
        assert robot.node.count_subscribers("/front/image_raw") == 1
        interrupt(process, log)


def test_launch_leaves_the_node_alone_without_autostart(ros2_launch, tmp_path):
    log = tmp_path / "log"
    with running(ros2_launch("autostart:=false"), log) as (process, robot):
        assert robot.state() == "unconfigured"
        interrupt(process, log)
