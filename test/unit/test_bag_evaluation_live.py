"""What a run in real time is scored as: answers that came in time, and nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from bag_drives import CAMERA_NS, camera
from fakes import START_NS, BagMaker

from masa_core.evaluation.bag.latency_plot import draw_histogram, draw_latency
from masa_core.evaluation.bag.run import ImageTiming, Run
from masa_core.io.class_names import ClassNames
from masa_core.io.source import SourceError
from masa_core.io.track_messages import TrackMessages
from masa_core.structures import Tracks
from masa_ros.live_answers import read_answers

WALL_NS = 1_800_000_000_000_000_000
TRACKS = Tracks(
    np.array([4, 9]), np.array([[1, 2, 3, 4], [5, 6, 7, 8]]), [0.9, 0.5], [0, 1], [1, 2]
)


class Recording(BagMaker):
    """What is recorded of a node, by wall time."""

    def tracks(self, image: int, latency_ms: float, epoch: int = 0) -> None:
        names = ClassNames(["car", "bus"])
        stamp_ns = START_NS + image * CAMERA_NS
        message = TrackMessages(self.store.types, names, "m").message(TRACKS, stamp_ns, "")
        message.epoch = epoch
        wall_ns = WALL_NS + image * CAMERA_NS + round(latency_ms * 1e6)
        self.write("/masa/tracks", message, wall_ns)

    def diagnostics(self, received_ns: int, **lost: int) -> None:
        types = self.store.types
        status, pair = (types[f"diagnostic_msgs/msg/{n}"] for n in ("DiagnosticStatus", "KeyValue"))
        values = [pair(f"lost: {cause}", str(count)) for cause, count in lost.items()]
        values.append(pair("images lost", "1000"))
        message = types["diagnostic_msgs/msg/DiagnosticArray"](
            self.header(0), [status(0, "masa_tracker: camera", "", "", values)]
        )
        self.write("/diagnostics", message, received_ns)


def answers(path: Path, deadline_s: float = 0.1):
    published_ns = [WALL_NS + image * CAMERA_NS for image in range(10)]
    seen = camera(10)
    return read_answers(path, "/masa/tracks", seen, published_ns, [0, 4, 8], deadline_s)


def test_late_and_missing_answers_are_none(tmp_path):
    with Recording(tmp_path / "bag") as bag:
        for image, latency_ms in ((0, 20), (1, 150), (4, 101), (6, 30), (8, 99.9)):
            bag.tracks(image, latency_ms)
    read = answers(tmp_path / "bag")
    assert sorted(read.by_image) == [0, 8]  # 4 came late
    latencies_s = {
        image: round(timing.latency_s, 4)
        for image, timing in enumerate(read.timings)
        if timing.latency_s is not None
    }
    assert latencies_s == {0: 0.02, 1: 0.15, 4: 0.101, 6: 0.03, 8: 0.0999}
    assert [timing.played_s for timing in read.timings][3] == pytest.approx(3 * CAMERA_NS / 1e9)
    assert read.by_image[8].ids == ["4", "9"]
    assert read.by_image[8].categories == ["car", "bus"]
    assert read.by_image[8].boxes == [[1, 2, 3, 4], [5, 6, 7, 8]]
    assert sorted(answers(tmp_path / "bag", deadline_s=0.102).by_image) == [0, 4, 8]


def test_ids_of_another_epoch_are_other_ids(tmp_path):
    with Recording(tmp_path / "bag") as bag:
        bag.tracks(0, 10)
        bag.tracks(4, 10, epoch=2)
    read = answers(tmp_path / "bag")
    assert (read.by_image[0].ids, read.by_image[4].ids) == (["4", "9"], ["2.4", "2.9"])


def test_losses_are_those_of_the_run_alone(tmp_path):
    with Recording(tmp_path / "bag") as bag:
        bag.diagnostics(WALL_NS, old=3, queue=5)  # of a node that ran before
        bag.tracks(0, 10)
        bag.diagnostics(WALL_NS + 10**9, old=3, queue=6)
        bag.diagnostics(WALL_NS + 2 * 10**9, old=3, queue=9, bad=1)
        bag.tracks(70, 10)
    read = answers(tmp_path / "bag")
    assert read.lost == {"queue": 4, "bad": 1}
    assert read.strangers == 1


def test_a_damaged_recording_is_told(tmp_path):
    with Recording(tmp_path / "bag") as bag:
        bag.raw("/masa/tracks", "masa_ros/msg/TrackArray", b"\x00\x01\x00\x00short", WALL_NS)
    with pytest.raises(SourceError, match="damaged"):
        answers(tmp_path / "bag")


def live_run(latencies_s, deadline_s=0.1):
    timings = [ImageTiming(index * 0.01, latency) for index, latency in enumerate(latencies_s)]
    return Run("live", {}, {}, None, [], timings=timings, deadline_s=deadline_s)


def test_the_plot_tells_late_from_lost():
    plot = draw_latency(live_run([0.02, 0.05, None, 0.15, None, None, 0.09]), 0.07)
    assert plot.count('class="on-time"') == 3
    assert plot.count('class="late"') == 1
    assert plot.count('class="lost"') == 3
    assert plot.count('class="deadline"') == 1


def test_a_long_run_is_drawn_with_its_worst_moments():
    latencies_s = [0.02] * 40_000
    latencies_s[12_345] = 0.3
    plot = draw_latency(live_run(latencies_s), 400)
    assert plot.count("<circle") <= 1500
    assert plot.count('class="late"') == 1


def test_a_run_without_an_answer_can_be_drawn():
    run = live_run([None] * 5)
    assert draw_latency(run, 0.05).count('class="lost"') == 5
    assert draw_histogram(run) == ""
