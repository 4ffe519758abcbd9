"""The join of images and detections: nothing invented, nothing lost uncounted, order kept."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from masa_core.io.epochs import JUMP_BACK_NS
from masa_ros.stamp_join import Pair, StampJoin

CAPACITY = 4
STEP_NS = 33_333_333


class AnyTraffic(RuleBasedStateMachine):
    """Any order of images, detections, duplicates, jumps and resets."""

    def __init__(self):
        super().__init__()
        self.join = StampJoin(CAPACITY)
        self.sent = 0
        self.given = {"image": set(), "detections": set()}
        self.pairs = 0
        self.last_pair_ns = self.newest_image_ns = None

    # Frames 0..20 lie close together; those from 1000 on are half a minute ahead.
    frame = st.integers(0, 20) | st.integers(1000, 1020)

    @rule(frame=frame)
    def image(self, frame):
        stamp_ns = frame * STEP_NS
        newest = self.newest_image_ns
        if newest is not None and stamp_ns < newest - JUMP_BACK_NS:
            self.forget()
            newest = None
        self.newest_image_ns = stamp_ns if newest is None else max(newest, stamp_ns)
        self.check("image", stamp_ns, self.join.add_image(stamp_ns, ("image", stamp_ns)))

    @rule(frame=frame)
    def detections(self, frame):
        stamp_ns = frame * STEP_NS
        message = ("detections", stamp_ns)
        self.check("detections", stamp_ns, self.join.add_detections(stamp_ns, message))

    @rule()
    def reset(self):
        self.join.reset()
        self.forget()

    def forget(self):
        self.given = {"image": set(), "detections": set()}
        self.last_pair_ns = self.newest_image_ns = None

    def check(self, side, stamp_ns, pair):
        self.sent += 1
        self.given[side].add(stamp_ns)
        if pair is None:
            return
        assert pair == Pair(("image", stamp_ns), ("detections", stamp_ns))
        assert all(stamp_ns in stamps for stamps in self.given.values())
        assert self.last_pair_ns is None or stamp_ns > self.last_pair_ns
        self.last_pair_ns = stamp_ns
        self.pairs += 1

    @invariant()
    def everything_is_accounted_for(self):
        join = self.join
        assert join.received == self.sent
        assert join.pairs == self.pairs
        assert join.received == 2 * join.pairs + sum(join.dropped.values()) + join.pending
        assert all(count >= 0 for count in join.dropped.values())

    @invariant()
    def memory_is_bounded(self):
        assert self.join.pending <= 2 * CAPACITY


TestAnyTraffic = AnyTraffic.TestCase


@given(
    st.lists(
        st.tuples(st.booleans(), st.booleans(), st.floats(-1, CAPACITY - 1)),
        min_size=1,
        max_size=60,
    )
)
def test_every_pair_that_comes_in_time_and_in_order_is_joined(frames):
    """Per frame: is there an image, are there detections, and how many frames these lag."""
    events = []
    arrived = float("-inf")
    for index, (has_image, has_detections, lag) in enumerate(frames):
        if has_image:
            events.append((float(index), index, "image"))
        if has_detections:
            arrived = max(arrived, index + lag)  # a publisher keeps its own order
            events.append((arrived, index, "detections"))
    join = StampJoin(CAPACITY)
    joined = []
    for _, index, side in sorted(events):
        add = join.add_image if side == "image" else join.add_detections
        if add(index * STEP_NS, index) is not None:
            joined.append(index)
    assert joined == [i for i, (image, detections, _) in enumerate(frames) if image and detections]
    assert join.dropped["late_image"] == join.dropped["late_detections"] == 0


def feed(join, *messages):
    """`"i3"` is the image of frame 3, `"d3"` its detections; returns the frames joined."""
    joined = []
    for message in messages:
        side, frame = message[0], int(message[1:])
        add = join.add_image if side == "i" else join.add_detections
        if add(frame * STEP_NS, message) is not None:
            joined.append(frame)
    return joined


def dropped(join):
    return {cause: count for cause, count in join.dropped.items() if count}


@pytest.mark.parametrize(
    ("messages", "joined", "causes"),
    [
        (["i1", "d1", "d2", "i2"], [1, 2], {}),
        (["i1", "i2", "i3", "i4", "i5", "d1"], [], {"no_detections": 1, "late_detections": 1}),
        (["i1", "d1", "d2", "d3", "d4", "d5", "d6", "i2"], [1], {"no_image": 1, "late_image": 1}),
        (["d1", "d2", "d3", "d4", "d5", "i1", "i2"], [2], {"no_image": 1, "no_detections": 1}),
        (["i1", "i2", "d2", "d1"], [2], {"no_detections": 1, "late_detections": 1}),
        (["i1", "i1", "d1", "d1", "i1"], [1], {"duplicate_image": 2, "duplicate_detections": 1}),
        (["i100", "d100", "i1", "d1"], [100, 1], {}),  # the clock went back
        (["i100", "d101", "i1", "d1"], [1], {"clock_jump": 2}),
        (["i1", "d1", "d0", "i2", "d2"], [1, 2], {"late_detections": 1}),
        (["i100", "d100", "d1", "i101", "d101"], [100, 101], {"late_detections": 1}),
    ],
)
def test_causes(messages, joined, causes):
    join = StampJoin(CAPACITY)
    assert feed(join, *messages) == joined
    assert dropped(join) == causes


def test_a_stamp_far_ahead_holds_up_nothing():
    join = StampJoin(CAPACITY)
    assert feed(join, "i1", "d1", "i9000", "i2", "d2", "i3", "d3") == [1, 2, 3]
    assert dropped(join) == {"clock_jump": 1}


def test_capacity_must_be_positive():
    with pytest.raises(ValueError, match="capacity"):
        StampJoin(0)


@pytest.mark.parametrize("begin", [[], ["i1", "d1"]], ids=["at first", "later"])
@pytest.mark.parametrize("first", ["i", "d"])
def test_detections_of_a_wrong_clock_hold_up_nothing(begin, first):
    join = StampJoin(CAPACITY)
    feed(join, *begin, *(f"d{9000 + i}" for i in range(3 * CAPACITY)))
    second = "d" if first == "i" else "i"
    messages = [f"{side}{frame}" for frame in range(2, 20) for side in (first, second)]
    assert feed(join, *messages) == list(range(2, 20))
