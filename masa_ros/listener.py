"""Records what a tracker node says, while it is waited for something."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions

from masa_ros.bag_recorder import BagRecorder
from masa_ros.child_process import ChildProcess


class RunError(RuntimeError):
    """A run that came to nothing. The text is for the user."""


class Listener:
    """A ROS node that records topics (name: type) into a new bag, in its `with` block."""

    def __init__(self, name: str, bag: Path, topics: Mapping[str, str]) -> None:
        self._context = Context()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self.node = rclpy.create_node(name, context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self.node)
        self._recorder = BagRecorder(self.node, bag, topics)

    def hears(self, topic: str) -> bool:
        """Whether somebody publishes on a topic."""
        return self.node.count_publishers(topic) > 0

    def count(self, topic: str) -> int:
        """Messages recorded so far."""
        return self._recorder.counts[topic]

    def wait(
        self, condition: Callable[[], bool], seconds: float, process: ChildProcess | None = None
    ) -> bool:
        """Whether the condition came true in time. Raises RunError if the process ends before."""
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            self._executor.spin_once(timeout_sec=0.1)
            if process is not None and process.poll() is not None:
                raise RunError(f"the node ended with exit code {process.poll()}: see {process.log}")
        return condition()

    def __enter__(self) -> Listener:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._recorder.close()
        self._executor.shutdown()
        self.node.destroy_node()
        self._context.try_shutdown()
