"""masa bench association: it runs, and its trackers have as much to do as it says."""

from __future__ import annotations

import numpy as np
import pytest

from masa_core import cli
from masa_core.evaluation.association_speed import FORGET_NOTHING, make, measure
from masa_core.structures import Detections


@pytest.mark.parametrize("name", FORGET_NOTHING)
def test_nothing_is_forgotten_while_it_is_measured(name: str) -> None:
    tracker = make(name)
    looks = 9 * np.eye(6, dtype=np.float32)
    boxes = np.array([[100 * i, 0, 100 * i + 40, 40] for i in range(6)], np.float32)
    everything = Detections(boxes, np.full(6, 0.9), np.zeros(6))
    for index in range(100):
        rows = slice(None) if index < 2 else slice(0, 2)
        tracker.update(everything[rows], looks[rows], index * 33_000_000)
    assert len(tracker.memory) == 6


def test_each_tracker_has_its_time() -> None:
    medians = measure(["masa_plus", "masa_tao"], 4, 8, frames=3, seed=0)
    assert len(medians) == 2 and min(medians) > 0


def test_the_command_prints_a_row_a_size(capsys: pytest.CaptureFixture[str]) -> None:
    command = ["bench", "association", "--no-peers", "--frames", "2", "--sizes"]
    assert cli.main([*command, "2/4", "3/5"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:]] == ["2/4", "3/5"]
    for wrong in ("many", "0/4"):
        assert cli.main([*command, wrong]) == 1
        assert "give DETECTIONS/TRACKS" in capsys.readouterr().err
