"""What the demo counts: every frame that was sent is processed or lost for a cause."""

from __future__ import annotations

import pytest

from masa_core.structures import Tracks
from masa_ros.demo_report import Recording, make_report

FRAME_NS = 40_000_000


def recording(processed, lost=None, latency_ms=30):
    """Every frame has tracks 1 and 2; frames begin at second 1."""
    made = Recording(lost=lost or {})
    for index in processed:
        stamp_ns = 1_000_000_000 + index * FRAME_NS
        made.tracks[stamp_ns] = Tracks([1, 2], [[0, 0, 9, 9]] * 2, [0.5, 0.6], [0, 0], [1, 1])
        made.latency_ns.append(latency_ms * 1_000_000)
        made.received_ns.append(stamp_ns + made.latency_ns[-1])
    return made


def test_a_run_without_loss():
    report = make_report("drive", 100, recording(range(100)))
    assert (report.frames_sent, report.frames_processed, report.lost) == (100, 100, {})
    assert (report.tracks, report.ids) == (200, 2)
    assert report.latency_p50_ms == report.latency_p99_ms == 30
    assert report.fps == pytest.approx(25, rel=0.02)
    assert "frames lost       0\n" in str(report)


def test_losses_have_causes():
    report = make_report("drive", 100, recording(range(90), {"replaced by newer": 7}))
    assert report.lost == {"replaced by newer": 7, "on the way": 3}
    assert "10 (7 replaced by newer, 3 on the way)" in str(report)


def test_a_run_without_answers_has_no_report():
    with pytest.raises(ValueError, match="no tracks"):
        make_report("drive", 100, recording([]))
