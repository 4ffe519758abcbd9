"""Plots of a run in real time: when the tracks of each image came, and which images were lost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from masa_core.evaluation.bag.run import ImageTiming, Run
from masa_core.evaluation.bag.svg import (
    LEFT,
    RIGHT,
    WIDTH,
    TimeAxis,
    element,
    label,
    picture,
    rectangle,
)

_DOTS = 1500  # of more images, the slowest of each moment is shown
_HEIGHT, _TOP, _LOST = 170, 8, 26
_HISTOGRAM_BINS = 60


def draw_latency(run: Run, seconds: float) -> str:
    """A dot for each image: time of the drive to the right, latency upwards; losses below."""
    axis = TimeAxis(seconds)
    deadline_s = run.deadline_s or np.inf
    answered = [item.latency_s for item in run.timings if item.latency_s is not None]
    highest = max([*answered, 1e-3])
    if deadline_s < 4 * highest:
        highest = max(highest, deadline_s)
    highest = _round_above(highest)
    bottom = _TOP + _HEIGHT

    def y(latency_s: float) -> float:
        return bottom - _HEIGHT * latency_s / highest

    parts = axis.grid(_TOP, bottom + _LOST)
    for share in (0.0, 0.5, 1.0):
        value_ms = highest * share * 1e3
        parts.append(
            label(LEFT - 8, y(highest * share) + 4, f"{value_ms:.0f} ms", text_anchor="end")
        )
    for item in _thinned(run.timings):
        latency_s = item.latency_s or 0.0
        kind = "late" if latency_s > deadline_s else "on-time"
        x = axis.x(item.played_s)
        parts.append(element("circle", cx=x, cy=y(latency_s), r=2.2, class_=kind))
    lost_s = [item.played_s for item in run.timings if item.latency_s is None]
    for x, played_s in {round(axis.x(played_s)): played_s for played_s in lost_s}.items():
        words = f"image at {played_s:.2f} s: no tracks came"
        parts.append(rectangle(x - 0.8, bottom + 8, 1.6, _LOST - 8, words, class_="lost"))
    parts.append(label(LEFT - 8, bottom + _LOST - 3, "never answered", "row", text_anchor="end"))
    if deadline_s < highest:
        at = y(deadline_s)
        parts.append(
            element("line", x1=LEFT, x2=axis.x(axis.seconds), y1=at, y2=at, class_="deadline")
        )
        parts.append(label(WIDTH - RIGHT + 8, at + 4, "deadline", "count"))
    return picture(bottom + _LOST + 22, parts, "Latency of each image over time")


def draw_histogram(run: Run) -> str:
    """How many images took how long."""
    latencies_ms = [item.latency_s * 1e3 for item in run.timings if item.latency_s is not None]
    if not latencies_ms:
        return ""
    limits = (0.0, _round_above(max(latencies_ms)))
    counts, edges = np.histogram(latencies_ms, _HISTOGRAM_BINS, limits)
    height, width = 90.0, (WIDTH - LEFT - RIGHT) / _HISTOGRAM_BINS
    parts = []
    for place, count in enumerate(counts.tolist()):
        if count:
            tall = height * count / counts.max()
            words = f"{count} images: {edges[place]:.0f} to {edges[place + 1]:.0f} ms"
            late = run.deadline_s is not None and edges[place] > run.deadline_s * 1e3
            parts.append(
                rectangle(
                    LEFT + place * width,
                    _TOP + height - tall,
                    width * 0.9,
                    tall,
                    words,
                    class_="late" if late else "on-time",
                )
            )
    for place in range(0, _HISTOGRAM_BINS + 1, 10):
        x = LEFT + place * width
        parts.append(label(x, _TOP + height + 16, f"{edges[place]:.0f} ms", text_anchor="middle"))
    parts.append(label(LEFT - 8, _TOP + 12, f"{counts.max()} images", text_anchor="end"))
    return picture(_TOP + height + 24, parts, "Distribution of latencies")


def _round_above(value: float) -> float:
    """The next round number: 1, 1.5, 2, 3, 4, 6 or 8 times a power of ten."""
    power = 10.0 ** np.floor(np.log10(value))
    return next(power * step for step in (1, 1.5, 2, 3, 4, 6, 8, 10) if power * step > value)


def _thinned(timings: Sequence[ImageTiming]) -> list[ImageTiming]:
    """The images that were answered; of too many, the slowest of each moment."""
    answered = [item for item in timings if item.latency_s is not None]
    step = -(-len(answered) // _DOTS) or 1
    return [
        max(answered[start : start + step], key=lambda item: item.latency_s or 0.0)
        for start in range(0, len(answered), step)
    ]
