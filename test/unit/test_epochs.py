"""A bag whose clock went back is tracked anew from there on, in evaluations too."""

from __future__ import annotations

from pathlib import Path

import pytest
from fakes import BagMaker, ColourModel, picture

from masa_core.evaluation.bag.run import track_offline
from masa_core.io import open_source
from masa_core.io.epochs import JUMP_BACK_NS, Epochs
from masa_core.pipeline import MasaPipeline
from masa_core.tracking import Tracker, TrackerConfig


@pytest.mark.parametrize(
    ("stamps", "epochs"),
    [
        ([0, 1, 2, 3], [0, 0, 0, 0]),
        ([5, 5 - JUMP_BACK_NS, 5], [0, 0, 0]),  # late by a second: not more
        ([5, 4 - JUMP_BACK_NS, 5, 6], [0, 1, 1, 1]),
        # late images do not lower the bar: the newest counts
        ([9 * JUMP_BACK_NS, 8 * JUMP_BACK_NS, 8 * JUMP_BACK_NS - 1, 0], [0, 0, 1, 2]),
    ],
)
def test_an_epoch_begins_more_than_a_second_before_the_newest(
    stamps: list[int], epochs: list[int]
) -> None:
    counter = Epochs()
    assert [counter.of(stamp_ns) for stamp_ns in stamps] == epochs


def test_an_evaluation_does_not_join_objects_of_two_epochs(tmp_path: Path) -> None:
    with BagMaker(tmp_path / "drive") as bag:
        for index, second in enumerate((10, 11, 2, 3)):
            stamp_ns = second * 1_000_000_000
            bag.image("/camera", stamp_ns, picture(0), received_ns=20 * 10**9 + index)
    pipeline = MasaPipeline(ColourModel(), Tracker(TrackerConfig.preset("masa_tao")))
    with open_source(tmp_path / "drive") as source:
        answers, _ = track_offline(source, pipeline, ColourModel.classes, None, range(4), False)
    assert [set(answers[index].ids) for index in range(4)] == [
        {"0", "1", "2"},
        {"0", "1", "2"},
        {"1.0", "1.1", "1.2"},
        {"1.0", "1.1", "1.2"},
    ]
