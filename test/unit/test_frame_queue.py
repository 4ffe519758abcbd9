"""The queue before the worker, and the worker."""

from __future__ import annotations

import threading
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from masa_ros.frame_queue import FrameQueue
from masa_ros.worker import Worker


@given(
    size=st.integers(1, 4),
    steps=st.lists(st.one_of(st.integers(0, 2), st.none()), max_size=60),
)
def test_every_frame_comes_out_once_or_is_handed_back(size: int, steps: list[int | None]) -> None:
    """A step is the camera of a new frame, or None for the worker that takes one."""
    queue: FrameQueue[tuple[int, int]] = FrameQueue(3, size)
    sent, taken, lost = [], [], []
    for number, camera in enumerate(steps):
        if camera is not None:
            frame = (camera, number)
            sent.append(frame)
            given_up = queue.put(camera, frame)
            if given_up is not None:
                assert given_up[0] == camera and given_up[1] < number
                lost.append(given_up)
        elif len(queue):
            taken.append(queue.take())
    left = queue.close()
    assert Counter(sent) == Counter(taken) + Counter(lost) + Counter(left)
    for camera in range(3):
        newest = [frame for frame in sent if frame[0] == camera][-1:]
        assert not set(newest) & set(lost), "the newest frame of a camera is never given up"
        order = [number for c, number in taken if c == camera]
        assert order == sorted(order)
        assert sum(c == camera for c, _ in left) <= size


def test_cameras_take_turns() -> None:
    queue: FrameQueue[str] = FrameQueue(2, 4)
    for frame in ("a1", "a2", "a3"):
        queue.put(0, frame)
    queue.put(1, "b1")
    assert [queue.take() for _ in range(4)] == ["a1", "b1", "a2", "a3"]


def test_closing_wakes_the_one_who_waits_and_takes_nothing_more() -> None:
    queue: FrameQueue[str] = FrameQueue(1, 1)
    got: list[str | None] = []
    waiter = threading.Thread(target=lambda: got.append(queue.take()))
    waiter.start()
    assert queue.close() == []
    waiter.join(10)
    assert got == [None]
    assert queue.put(0, "late") == "late" and len(queue) == 0


def test_a_queue_holds_something() -> None:
    with pytest.raises(ValueError, match="at least 1, got 0"):
        FrameQueue(1, 0)


def test_the_worker_outlives_a_frame_that_fails() -> None:
    queue: FrameQueue[int] = FrameQueue(1, 10)
    done: list[int] = []
    failed: list[tuple[int, str]] = []
    all_done = threading.Event()

    def handle(frame: int) -> None:
        if frame == 2:
            raise RuntimeError("broken")
        done.append(frame)
        if frame == 3:
            all_done.set()

    worker = Worker(queue, handle, lambda frame, error: failed.append((frame, str(error))))
    for frame in (1, 2, 3):
        queue.put(0, frame)
    assert all_done.wait(10)
    assert worker.stop(10) == ([], True)
    assert done == [1, 3] and failed == [(2, "broken")]


def test_a_stopped_worker_gives_back_what_it_did_not_take() -> None:
    queue: FrameQueue[int] = FrameQueue(1, 10)
    working, go_on = threading.Event(), threading.Event()

    def handle(frame: int) -> None:
        working.set()
        go_on.wait(10)

    worker = Worker(queue, handle, lambda frame, error: None)
    queue.put(0, 1)
    assert working.wait(10)
    queue.put(0, 2)
    assert worker.stop(0.01) == ([2], False)
    go_on.set()
    assert worker.stop(10) == ([], True)
