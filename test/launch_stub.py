"""launch/tracker.launch.py without the launch packages, which are not on PyPI.

They are replaced by classes that keep what they are given, so that a test sees which arguments
are declared and how the node would be started. test/ros/test_launch.py runs the real ones.
"""

from __future__ import annotations

import runpy
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]
LAUNCH_FILE = ROOT / "launch" / "tracker.launch.py"


class Made:
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.args, self.kwargs = args, kwargs


class Stub(ModuleType):
    def __getattr__(self, name: str) -> type[Made]:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Made,), {})


class LaunchFile:
    """What the launch file does, for the values of its arguments."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        names = ("actions", "event_handlers", "events", "events.lifecycle")
        stubs = {name: Stub(name) for name in ("launch", "launch_ros", "lifecycle_msgs")}
        stubs |= {f"{top}.{name}": Stub(name) for top in ("launch", "launch_ros") for name in names}
        stubs["lifecycle_msgs.msg"] = Stub("msg")
        transitions = SimpleNamespace(TRANSITION_CONFIGURE=1, TRANSITION_ACTIVATE=3)
        stubs["lifecycle_msgs.msg"].Transition = transitions
        packages = Stub("ament_index_python.packages")
        packages.get_package_share_directory = lambda name: str(ROOT)
        stubs |= {"ament_index_python": Stub("ament_index_python"), packages.__name__: packages}
        for name, stub in stubs.items():
            monkeypatch.setitem(sys.modules, name, stub)
        made = runpy.run_path(str(LAUNCH_FILE))
        (entities,) = made["generate_launch_description"]().args
        *self.arguments, start = entities
        self._start = start.kwargs["function"]

    @property
    def defaults(self) -> dict[str, str]:
        return {made.args[0]: made.kwargs["default_value"] for made in self.arguments}

    def start(self, **given: str) -> tuple[Any, list[Any]]:
        """The node, and the handlers that bring it up."""
        context = SimpleNamespace(launch_configurations={**self.defaults, **given})
        *handlers, node = self._start(context)
        return node, handlers


def command_line(node: Any) -> list[str]:
    """The arguments after the executable, as launch_ros makes them of a node's description."""
    given = node.kwargs
    params_file, parameters = given["parameters"]
    command = ["--ros-args", *given["ros_arguments"], "-r", f"__node:={given['name']}"]
    command += ["-r", f"__ns:=/{given['namespace']}", "--params-file", str(params_file)]
    for name, value in parameters.items():
        command += ["-p", f"{name}:={str(value).lower() if isinstance(value, bool) else value}"]
    for name, topic in given["remappings"]:
        command += ["-r", f"{name}:={topic}"]
    return command
