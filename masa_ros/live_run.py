"""One run in real time: the bag played to a tracker node, and its answers recorded."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml
from tqdm import tqdm

from masa_core.io.atomic import write_text
from masa_ros.answers import QUIET_S, wait_for_answers
from masa_ros.child_process import ChildProcess
from masa_ros.demo_report import DIAGNOSTICS_TOPIC
from masa_ros.listener import Listener, RunError
from masa_ros.node_parameters import read_parameters

_START_S = 180.0  # for the node to load its model, on a slow machine
_ANSWER_S = 10.0  # for the services of a node that runs


@dataclass(frozen=True)
class Replayed:
    """What is played, and where the answers come. detections: None where the node finds the boxes.

    node: name of the node. parameters: of the node to start, or None for one that runs.
    """

    bag: Path
    images: str
    compressed: bool
    detections: str | None
    tracks: str
    node: str
    parameters: dict[str, Any] | None
    params_file: Path | None = None
    deadline_s: float = 0.5


@dataclass(frozen=True)
class Played:
    """recording: the bag with what the node said. published_ns: when each image was published, wall
    time. late_s: by how much the player was late. parameters: of the node; None if unknown."""

    recording: Path
    published_ns: list[int]
    late_s: float
    parameters: dict[str, Any] | None = field(default=None)


def play_live(replayed: Replayed, folder: Path, images: int, progress: bool) -> Played:
    """Plays the bag to the end. The recording is `folder`/tracks, which is replaced; the output of
    the processes goes to node.log and player.log.

    Raises RunError when the node or the player fails, or not one answer comes.
    """
    recording = folder / "tracks"
    shutil.rmtree(recording, ignore_errors=True)
    topics = {
        replayed.tracks: "masa_ros/msg/TrackArray",
        DIAGNOSTICS_TOPIC: "diagnostic_msgs/msg/DiagnosticArray",
    }
    with Listener("masa_evaluate_bag", recording, topics) as listener:
        if replayed.parameters is None:
            return _play(listener, None, replayed, folder, images, progress)
        log = folder / "node.log"
        with ChildProcess("masa_ros.tracker_node", *_arguments(replayed, folder), log=log) as node:
            played = _play(listener, node, replayed, folder, images, progress)
            code = node.stop()
            if code != 0:
                raise RunError(f"the node ended with exit code {code} after the drive: see {log}")
        return played


def _arguments(replayed: Replayed, folder: Path) -> list[str]:
    """Of the node: its parameters, written to node.yaml, and where its topics are."""
    given = [folder / "node.yaml"]
    content = {"/**": {"ros__parameters": replayed.parameters}}
    write_text(given[0], yaml.safe_dump(content, sort_keys=False))
    if replayed.params_file is not None:
        given.insert(0, replayed.params_file)
    own = "image/compressed" if replayed.compressed else "image"
    remaps = {own: replayed.images}
    if replayed.detections is not None:
        remaps["detections"] = replayed.detections
    arguments = ["--ros-args"]
    for path in given:
        arguments += ["--params-file", str(path)]
    for name, topic in remaps.items():
        arguments += ["-r", f"{name}:={topic}"]
    return arguments


def _play(
    listener: Listener,
    node: ChildProcess | None,
    replayed: Replayed,
    folder: Path,
    images: int,
    progress: bool,
) -> Played:
    patience_s = _ANSWER_S if node is None else _START_S
    if not listener.wait(lambda: listener.hears(replayed.tracks), patience_s, node):
        where = "is one running?" if node is None else f"see {node.log}"
        raise RunError(f"no node publishes on {replayed.tracks} after {patience_s:.0f} s: {where}")
    parameters = read_parameters(listener, replayed.node, _ANSWER_S)
    log, times = folder / "player.log", folder / "published.txt"
    arguments = [str(replayed.bag), replayed.images]
    arguments += [replayed.detections] if replayed.detections else []
    arguments += ["--images", replayed.images, "--log", str(times), "--wait", str(patience_s)]
    hide = None if not progress else False  # None: hide it where nobody looks
    with (
        ChildProcess("masa_ros.bag_replay", *arguments, log=log) as player,
        tqdm(total=images, unit="frame", desc="playing", disable=hide) as bar,
    ):
        quiet_s = max(QUIET_S, replayed.deadline_s)
        said = wait_for_answers(listener, replayed.tracks, player, node, bar, quiet_s)
    if listener.count(replayed.tracks) == 0:
        raise RunError(f"the bag was played, and no tracks came on {replayed.tracks}")
    published_ns = [int(line) for line in times.read_text(encoding="utf-8").splitlines()]
    times.unlink()
    return Played(folder / "tracks", published_ns, float(said["late_s"]), parameters)
