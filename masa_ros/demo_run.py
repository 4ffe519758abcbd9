"""One run: a player and the tracker node as processes, and what the node says recorded here."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import rclpy
from rclpy.context import Context
from rclpy.executors import SingleThreadedExecutor
from rclpy.signals import SignalHandlerOptions
from tqdm import tqdm

from masa_core.io.bag_writer import TRACKS_TOPIC
from masa_ros.bag_recorder import BagRecorder
from masa_ros.child_process import ChildProcess
from masa_ros.demo_drive import TOPIC
from masa_ros.demo_report import DIAGNOSTICS_TOPIC

_START_S = 120.0  # for the node to load its model, on a slow machine
_QUIET_S = 3.0  # without tracks after the last frame: the rest is lost
_TOPICS = {
    TRACKS_TOPIC: "masa_ros/msg/TrackArray",
    DIAGNOSTICS_TOPIC: "diagnostic_msgs/msg/DiagnosticArray",
}


class RunError(RuntimeError):
    """A run that came to nothing. The text is for the user."""


@dataclass(frozen=True)
class Run:
    """bag: the recording. offset_ns: what was added to the stamps of the drive."""

    bag: Path
    frames_sent: int
    offset_ns: int


def play_and_record(folder: Path, drive: Path, frames: int, params_file: Path) -> Run:
    """Plays the `frames` of the drive through the node; the recording is `folder`/tracks.

    The processes' output goes to node.log and player.log in the folder.
    Raises RunError when the node or the player fails, or no tracks come.
    """
    bag = folder / "tracks"
    shutil.rmtree(bag, ignore_errors=True)
    arguments = ("--ros-args", "--params-file", str(params_file))
    with (
        _Listener(bag) as listener,
        ChildProcess("masa_ros.tracker_node", *arguments, log=folder / "node.log") as node,
    ):
        if not listener.wait(listener.hears_node, _START_S, node):
            raise RunError(f"the node was not ready after {_START_S:.0f} s: see {node.log}")
        played = _play(listener, node, drive, frames, folder / "player.log")
        if listener.count(TRACKS_TOPIC) == 0:
            raise RunError(f"{played['sent']} frames were sent, no tracks came: see {node.log}")
        said = listener.count(DIAGNOSTICS_TOPIC)  # two more hold all that was lost
        listener.wait(lambda: listener.count(DIAGNOSTICS_TOPIC) >= said + 2, _QUIET_S, node)
        code = node.stop()
        if code != 0:
            raise RunError(f"the node ended with exit code {code} after the drive: see {node.log}")
    return Run(bag, played["sent"], played["offset_ns"])


class _Listener:
    """Records the node's topics into a bag while it waits for something."""

    def __init__(self, bag: Path) -> None:
        self._context = Context()
        rclpy.init(context=self._context, signal_handler_options=SignalHandlerOptions.NO)
        self._node = rclpy.create_node("masa_demo", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._recorder = BagRecorder(self._node, bag, _TOPICS)

    def hears_node(self) -> bool:
        return self._node.count_publishers(TRACKS_TOPIC) > 0

    def count(self, topic: str) -> int:
        return self._recorder.counts[topic]

    def wait(self, condition: Callable[[], bool], seconds: float, node: ChildProcess) -> bool:
        """Whether the condition came true in time. Raises RunError if the node ends meanwhile."""
        end = time.monotonic() + seconds
        while not condition() and time.monotonic() < end:
            self._executor.spin_once(timeout_sec=0.1)
            if node.poll() is not None:
                raise RunError(f"the node ended with exit code {node.poll()}: see {node.log}")
        return condition()

    def __enter__(self) -> _Listener:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._recorder.close()
        self._executor.shutdown()
        self._node.destroy_node()
        self._context.try_shutdown()


def _play(
    listener: _Listener, node: ChildProcess, drive: Path, frames: int, log: Path
) -> dict[str, int]:
    """Plays the drive and waits for the last tracks; what the player says of it."""
    arguments = (str(drive), TOPIC, "--wait", str(_START_S))
    with (
        ChildProcess("masa_ros.bag_player", *arguments, log=log) as player,
        tqdm(total=frames, unit="frame", desc="playing", disable=None) as bar,
    ):

        def moves() -> bool:
            """Waits for tracks, or the end of the player; whether there was anything new."""
            state = (listener.count(TRACKS_TOPIC), player.poll())
            moved = listener.wait(
                lambda: (listener.count(TRACKS_TOPIC), player.poll()) != state, _QUIET_S, node
            )
            bar.update(listener.count(TRACKS_TOPIC) - state[0])
            return moved

        while player.poll() is None:
            moves()
        if player.poll() != 0:
            raise RunError(f"the player ended with exit code {player.poll()}: see {log}")
        lines = log.read_text(encoding="utf-8").splitlines()  # the middleware may have its say, too
        played: dict[str, int] = json.loads(next(line for line in lines if line.startswith("{")))
        while listener.count(TRACKS_TOPIC) < played["sent"] and moves():
            pass
    return played
