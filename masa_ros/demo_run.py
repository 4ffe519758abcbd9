"""One run: a player and the tracker node as processes, and what the node says recorded here."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from masa_core.io.bag_writer import TRACKS_TOPIC
from masa_ros.answers import wait_for_answers
from masa_ros.child_process import ChildProcess
from masa_ros.demo_drive import TOPIC
from masa_ros.demo_report import DIAGNOSTICS_TOPIC
from masa_ros.listener import Listener, RunError

_START_S = 120.0  # for the node to load its model, on a slow machine
_TOPICS = {
    TRACKS_TOPIC: "masa_ros/msg/TrackArray",
    DIAGNOSTICS_TOPIC: "diagnostic_msgs/msg/DiagnosticArray",
}


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
    parameters = ("--ros-args", "--params-file", str(params_file))
    with (
        Listener("masa_demo", bag, _TOPICS) as listener,
        ChildProcess("masa_ros.tracker_node", *parameters, log=folder / "node.log") as node,
    ):
        if not listener.wait(lambda: listener.hears(TRACKS_TOPIC), _START_S, node):
            raise RunError(f"the node was not ready after {_START_S:.0f} s: see {node.log}")
        arguments = (str(drive), TOPIC, "--wait", str(_START_S))
        with (
            ChildProcess("masa_ros.bag_player", *arguments, log=folder / "player.log") as player,
            tqdm(total=frames, unit="frame", desc="playing", disable=None) as bar,
        ):
            played = wait_for_answers(listener, TRACKS_TOPIC, player, node, bar)
        if listener.count(TRACKS_TOPIC) == 0:
            raise RunError(f"{played['sent']} frames were sent, no tracks came: see {node.log}")
        code = node.stop()
        if code != 0:
            raise RunError(f"the node ended with exit code {code} after the drive: see {node.log}")
    return Run(bag, played["sent"], played["offset_ns"])
