"""What became of the images of one camera, and how long it took: counts, rates, latencies."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

WINDOW = 300  # samples of each stage that percentiles are taken of: ten seconds at 30 Hz


@dataclass(frozen=True)
class Summary:
    """The counts since the start, the rates since the summary before, and recent latencies."""

    received: int
    processed: int
    dropped: dict[str, int]  # images, by cause
    ignored: dict[str, int]  # what was left out of detections that were otherwise used, by cause
    undelivered: int  # images that the middleware lost on their way here
    newly_lost: int  # dropped or undelivered since the summary before
    received_hz: float
    processed_hz: float
    latency_ms: dict[str, tuple[float, float]] = field(default_factory=dict)  # stage: p50, p99


class Statistics:
    """Thread-safe, and of bounded size.

    When nothing waits, ``received == processed + sum(dropped.values())``.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self._received = self._processed = self._undelivered = 0
        self._dropped: Counter[str] = Counter()
        self._ignored: Counter[str] = Counter()
        self._latency_s: dict[str, deque[float]] = defaultdict(lambda: deque(maxlen=WINDOW))
        self._last_summary_s = clock()
        self._last_counts = (0, 0, 0)

    def received(self) -> None:
        with self._lock:
            self._received += 1

    def processed(self, latency_s: Mapping[str, float]) -> None:
        """An image was tracked; seconds by stage."""
        with self._lock:
            self._processed += 1
            for stage, seconds in latency_s.items():
                self._latency_s[stage].append(seconds)

    def dropped(self, cause: str, count: int = 1) -> None:
        """Images are lost."""
        with self._lock:
            self._dropped[cause] += count

    def undelivered(self, count: int) -> None:
        """Images never came, as the middleware says."""
        with self._lock:
            self._undelivered += count

    def ignored(self, causes: Mapping[str, int]) -> None:
        """Parts of a message are lost, the rest is used."""
        with self._lock:
            self._ignored.update(causes)

    def summary(self) -> Summary:
        """To be called in regular intervals, from one place: rates are taken from call to call."""
        with self._lock:
            now = self._clock()
            lost = sum(self._dropped.values()) + self._undelivered
            counts = (self._received, self._processed, lost)
            passed = max(now - self._last_summary_s, 1e-9)
            new = [after - before for after, before in zip(counts, self._last_counts, strict=True)]
            self._last_counts, self._last_summary_s = counts, now
            recent = {stage: list(times) for stage, times in self._latency_s.items()}
            summary = Summary(
                received=self._received,
                processed=self._processed,
                dropped={cause: n for cause, n in self._dropped.items() if n},
                ignored={cause: n for cause, n in self._ignored.items() if n},
                undelivered=self._undelivered,
                newly_lost=new[2],
                received_hz=new[0] / passed,
                processed_hz=new[1] / passed,
            )
        for stage, times in recent.items():  # outside of the lock: this takes a moment
            p50, p99 = np.percentile(times, (50, 99)) * 1e3
            summary.latency_ms[stage] = (float(p50), float(p99))
        return summary
