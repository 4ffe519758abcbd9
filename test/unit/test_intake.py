"""The subscription callbacks of a camera: every image is processed or counted as lost."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from masa_ros.frame_queue import FrameQueue
from masa_ros.intake import Arrival, Intake
from masa_ros.stamp_gate import StampGate
from masa_ros.statistics import Statistics

SECOND = 1_000_000_000


class Bench:
    """An intake with its queue, and a worker that takes frames when told to."""

    def __init__(self, join_size: int | None = None, queue_size: int = 100) -> None:
        self.statistics = Statistics()
        self.gate = StampGate()
        self.queue: FrameQueue[Arrival] = FrameQueue(1, queue_size)
        self.intake = Intake(0, self.gate, self.queue, self.statistics, join_size)
        self.taken: list[Arrival] = []

    def work(self) -> None:
        while len(self.queue):
            arrival = self.queue.take()
            assert arrival is not None
            self.taken.append(arrival)
            self.statistics.processed({})

    def stop(self) -> None:
        self.intake.close()
        self.left = len(self.queue.close())
        self.statistics.dropped("stopped", self.left)


def test_images_are_handed_on_with_their_epoch() -> None:
    bench = Bench()
    for seconds in (10, 11, 2, 3):
        bench.intake.add_image(seconds * SECOND, f"image {seconds}")
    bench.work()
    assert [(a.epoch, a.image) for a in bench.taken] == [
        (0, "image 10"), (0, "image 11"), (1, "image 2"), (1, "image 3"),
    ]  # fmt: skip


def test_losses_are_named() -> None:
    bench = Bench(queue_size=1)
    for stamp_ns in (0, 10 * SECOND, 10 * SECOND, 11 * SECOND, 12 * SECOND):
        bench.intake.add_image(stamp_ns, "image")
    bench.stop()
    assert bench.statistics.summary().dropped == {
        "has no stamp": 1, "out of order": 1, "replaced by newer": 2, "stopped": 1,
    }  # fmt: skip


def test_detections_are_joined_by_stamp_and_losses_named_on_both_sides() -> None:
    bench = Bench(join_size=2)
    intake = bench.intake
    intake.add_image(1, "image 1")
    intake.add_detections(2, "boxes 2")
    intake.add_image(2, "image 2")  # gives up image 1
    intake.add_detections(1, "boxes 1")  # late
    intake.add_detections(2, "boxes 2")  # again
    intake.add_image(3, "image 3")
    intake.add_detections(3, "boxes 3")
    intake.add_detections(4, "boxes 4")
    bench.work()
    bench.stop()
    assert [(a.image, a.detections) for a in bench.taken] == [
        ("image 2", "boxes 2"),
        ("image 3", "boxes 3"),
    ]
    summary = bench.statistics.summary()
    assert summary.dropped == {"no detections came": 1}
    assert summary.ignored == {
        "detections: late": 1, "detections: out of order": 1, "detections: stopped": 1,
    }  # fmt: skip


def test_what_waits_is_given_up_with_its_epoch() -> None:
    bench = Bench(join_size=5)
    bench.intake.add_image(10 * SECOND, "before")
    bench.intake.add_image(2 * SECOND, "after")
    bench.intake.add_detections(10 * SECOND, "boxes before")
    bench.intake.add_detections(2 * SECOND, "boxes after")
    bench.work()
    assert [(a.epoch, a.image, a.detections) for a in bench.taken] == [(1, "after", "boxes after")]
    assert bench.statistics.summary().dropped == {"of an earlier epoch": 1}


STEPS = st.tuples(st.sampled_from(["image", "detections", "work", "reset"]), st.integers(0, 8))


@given(
    steps=st.lists(STEPS, max_size=80),
    join_size=st.one_of(st.none(), st.integers(1, 4)),
    queue_size=st.integers(1, 3),
)
def test_received_is_processed_plus_lost(
    steps: list[tuple[str, int]], join_size: int | None, queue_size: int
) -> None:
    bench = Bench(join_size, queue_size)
    for what, number in steps:
        stamp_ns = number * SECOND * 6 // 10  # so that steps back are on both sides of a second
        if what == "image":
            bench.intake.add_image(stamp_ns, "image")
        elif what == "detections" and join_size:
            bench.intake.add_detections(stamp_ns, "boxes")
        elif what == "work":
            bench.work()
        elif what == "reset":
            bench.gate.new_epoch()
    bench.stop()
    summary = bench.statistics.summary()
    images = sum(what == "image" for what, _ in steps)
    assert summary.received == images
    assert images == summary.processed + sum(summary.dropped.values())
    detections = sum(what == "detections" for what, _ in steps) if join_size else 0
    if join_size:
        pairs = len(bench.taken) + summary.dropped.get("replaced by newer", 0) + bench.left
        assert detections == pairs + sum(summary.ignored.values())
    order = [(a.epoch, a.stamp_ns) for a in bench.taken]
    assert order == sorted(set(order))
