"""Tests over real DDS, with the node in a process of its own. Skipped where there is no ROS."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from typing import Any

import pytest

if find_spec("rclpy") is None:
    collect_ignore_glob = ["*"]


@pytest.fixture
def start() -> Iterator[Callable[..., Any]]:
    """start(parameters, arguments, active=True, **environment) gives (tracker, robot), on a DDS
    domain of their own.

    active: waits until the node tracks, and until its tracks arrive at the robot.
    """
    from node_harness import Robot, Tracker

    from masa_ros.private_domain import private_domain

    with ExitStack() as stack:

        def begin(
            parameters: dict[str, Any] | None = None,
            arguments: list[str] | None = None,
            active: bool = True,
            **environment: str,
        ) -> tuple[Tracker, Robot]:
            variables = stack.enter_context(private_domain())
            robot = Robot(int(variables["ROS_DOMAIN_ID"]))
            stack.callback(robot.close)
            tracker = Tracker(parameters or {}, arguments or [], {**variables, **environment})
            stack.callback(tracker.close)
            robot.tracker = tracker
            if active:
                robot.wait(lambda: robot.state() == "active", "an active node")
                robot.wait_heard()
            return tracker, robot

        yield begin
