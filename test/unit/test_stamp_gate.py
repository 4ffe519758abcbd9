"""Which images pass, and where an epoch ends."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from masa_ros.stamp_gate import StampGate

SECOND = 1_000_000_000


def test_an_image_that_is_not_newer_does_not_pass() -> None:
    gate = StampGate()
    assert gate.admit(5 * SECOND) == 0
    assert gate.admit(5 * SECOND) is None  # again
    assert gate.admit(4 * SECOND) is None  # by no more than a second
    assert gate.admit(5 * SECOND + 1) == 0


def test_a_stamp_that_goes_back_by_more_than_a_second_begins_an_epoch() -> None:
    gate = StampGate()
    gate.admit(5 * SECOND)
    assert gate.admit(4 * SECOND - 1) == 1
    assert gate.admit(4 * SECOND) == 1
    assert gate.epoch == 1


def test_a_new_epoch_is_begun_once_and_forgets_the_order() -> None:
    gate = StampGate()
    assert gate.new_epoch() == 0  # nothing of epoch 0 was seen
    gate.admit(5 * SECOND)
    assert gate.new_epoch() == 1 and gate.new_epoch() == 1
    assert gate.admit(5 * SECOND) == 1


def test_a_bag_that_loops_begins_one_epoch_whichever_is_seen_first() -> None:
    for clock_first in (True, False):
        gate = StampGate()
        gate.admit(60 * SECOND)
        if clock_first:
            assert gate.clock_jumped(10 * SECOND)
        assert gate.admit(10 * SECOND) == 1
        if not clock_first:
            assert not gate.clock_jumped(10 * SECOND)
        assert gate.admit(11 * SECOND) == 1


def test_a_clock_that_jumps_forwards_changes_nothing() -> None:
    gate = StampGate()
    gate.admit(10 * SECOND)
    assert not gate.clock_jumped(60 * SECOND)
    assert gate.admit(61 * SECOND) == 0


@given(st.lists(st.integers(1, 20 * SECOND), max_size=50))
def test_stamps_rise_within_an_epoch(stamps: list[int]) -> None:
    gate = StampGate()
    passed = [(gate.admit(stamp), stamp) for stamp in stamps]
    passed = [(epoch, stamp) for epoch, stamp in passed if epoch is not None]
    assert passed == sorted(set(passed))
