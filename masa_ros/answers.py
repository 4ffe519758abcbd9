"""Waits, while a player plays a bag, for all that the tracker node answers."""

from __future__ import annotations

import json
from typing import Any

from masa_ros.child_process import ChildProcess
from masa_ros.demo_report import DIAGNOSTICS_TOPIC
from masa_ros.listener import Listener, RunError

QUIET_S = 3.0  # without tracks after the last image: the rest is lost


def wait_for_answers(
    listener: Listener,
    topic: str,
    player: ChildProcess,
    node: ChildProcess | None,
    bar: Any,
    quiet_s: float = QUIET_S,
) -> dict[str, Any]:
    """Until the player has ended and nothing more comes on `topic`; what the player says of it.

    node: which may end before; None where it is not ours. bar: of tqdm, moved by each answer.
    Raises RunError when the player or the node fails.
    """

    def state() -> tuple[int, int | None]:
        return listener.count(topic), player.poll()

    def moves() -> bool:
        """Waits for an answer, or the end of the player; whether there was anything new."""
        before = state()
        moved = listener.wait(lambda: state() != before, quiet_s, node)
        bar.update(state()[0] - before[0])
        return moved

    while player.poll() is None:
        moves()
    lines = [line for line in player.log.read_text(encoding="utf-8").splitlines() if line.strip()]
    if player.poll() != 0:
        reason = lines[-1] if lines else f"see {player.log}"
        raise RunError(f"the player ended with exit code {player.poll()}: {reason}")
    # The middleware may have its say, too.
    said: dict[str, Any] = json.loads(next(line for line in lines if line.startswith("{")))
    while listener.count(topic) < said["sent"] and moves():
        pass
    before = listener.count(DIAGNOSTICS_TOPIC)  # two more hold all that was lost
    listener.wait(lambda: listener.count(DIAGNOSTICS_TOPIC) >= before + 2, QUIET_S, node)
    return said
