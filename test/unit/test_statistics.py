"""What the diagnostics say: rates, latencies, silence."""

from __future__ import annotations

import pytest

from masa_ros.silence import PATIENCE_S, Publisher, SilenceWatch, explain_silence
from masa_ros.statistics import WINDOW, Statistics


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_rates_are_taken_from_summary_to_summary() -> None:
    clock = Clock()
    statistics = Statistics(clock)
    for _ in range(30):
        statistics.received()
    for _ in range(20):
        statistics.processed({"track": 0.002})
    statistics.dropped("replaced by newer", 10)
    statistics.undelivered(5)
    clock.now_s += 2
    summary = statistics.summary()
    assert (summary.received_hz, summary.processed_hz) == (15.0, 10.0)
    assert (
        summary.newly_lost == 15
        and summary.undelivered == 5
        and summary.dropped == {"replaced by newer": 10}
    )
    clock.now_s += 1
    summary = statistics.summary()
    assert (summary.received_hz, summary.processed_hz, summary.newly_lost) == (0.0, 0.0, 0)
    assert summary.received == 30 == summary.processed + sum(summary.dropped.values())


def test_latencies_are_of_the_recent_images() -> None:
    statistics = Statistics()
    statistics.processed({"track": 99.0})
    for i in range(WINDOW):
        statistics.processed({"track": i / 1000})
    p50, p99 = statistics.summary().latency_ms["track"]
    assert p50 == pytest.approx(WINDOW / 2, abs=1) and p99 == pytest.approx(WINDOW * 0.99, abs=1)


def test_a_silence_is_told_once() -> None:
    clock = Clock()
    watch = SilenceWatch(clock)
    clock.now_s += PATIENCE_S - 0.1
    assert not watch.due()
    clock.now_s += 0.2
    assert watch.due() and not watch.due()
    watch.heard()
    assert watch.silent_s == 0 and not watch.due()
    clock.now_s += PATIENCE_S
    assert watch.due()


IMAGE, COMPRESSED = "sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"


@pytest.mark.parametrize(
    ("publishers", "others", "says"),
    [
        ([], [], "nobody publishes there, and there is no topic of such a type"),
        ([], [("/cam/raw", IMAGE)], f"remap it to one of these topics: /cam/raw ({IMAGE})"),
        ([Publisher("/cam", COMPRESSED, False)], [], f"/cam publishes {COMPRESSED} there"),
        ([Publisher("/cam", IMAGE, True)], [], "set parameter image_reliability to best_effort"),
        ([Publisher("/cam", IMAGE, False)], [], "/cam is there, but has sent nothing that arrived"),
    ],
)  # fmt: skip
def test_a_silence_is_explained(publishers: list, others: list, says: str) -> None:
    text = explain_silence("/image", IMAGE, True, "image_reliability", publishers, others)
    assert text.startswith(f"nothing has come on /image ({IMAGE}) for 5 s: ") and says in text
