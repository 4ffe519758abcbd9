"""The timeline: a row for each object of the truth, in the colours of the tracks that followed it,
and the errors of each moment below."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from masa_core.evaluation.bag.crops import colour_of
from masa_core.evaluation.bag.events import Events, ObjectHistory
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

ROWS = 60  # objects that are shown
_ROW, _BAR, _TOP = 18, 12, 6  # px
_BINS = 180
_CHART = 54  # height of the errors' bars


def shown_objects(events: Events) -> list[ObjectHistory]:
    """Those with most to tell where they are too many, in order of appearance."""
    ranked = sorted(
        events.objects,
        key=lambda item: (-len(item.switches), -len(item.gaps), -len(item.moments)),
    )[:ROWS]
    chosen = {id(item) for item in ranked}
    return [item for item in events.objects if id(item) in chosen]


def draw_timeline(events: Events, times_s: Sequence[float], seconds: float) -> str:
    """times_s: of the labelled frames from the first image of the drive, which takes `seconds`."""
    axis = TimeAxis(seconds)
    ends_s = _ends(times_s, seconds)
    objects = shown_objects(events)
    bottom = _TOP + _ROW * len(objects)
    parts = axis.grid(_TOP, bottom)
    for row, history in enumerate(objects):
        parts += _row(history, _TOP + row * _ROW, axis, times_s, ends_s)
    return picture(bottom + 22, parts, "Which track followed each object, over time")


def _ends(times_s: Sequence[float], seconds: float) -> list[float]:
    """Until when each labelled frame stands: the next one, but no longer than usual."""
    usual = float(np.median(np.diff(times_s))) if len(times_s) > 1 else seconds
    last = times_s[-1] + usual if len(times_s) else seconds
    return [min(end, begin + 1.5 * usual) for begin, end in pairwise([*times_s, last])]


def _row(
    history: ObjectHistory,
    y: float,
    axis: TimeAxis,
    times_s: Sequence[float],
    ends_s: Sequence[float],
) -> list[str]:
    name = f"{history.category} {history.object_id}"
    short = name if len(name) <= 22 else f"{name[:21]}…"
    parts = [label(LEFT - 8, y + 12, short, "row", text_anchor="end")]
    for track, first, last in _stretches(history):
        begin, end = axis.x(times_s[first]), axis.x(ends_s[last])
        when = f"{times_s[first]:.1f} to {ends_s[last]:.1f} s"
        if track is None:
            words = f"{name}: not found, {when}"
            parts.append(rectangle(begin, y + 6, end - begin, 4, words, class_="missed"))
            continue
        blue, green, red = colour_of(track)
        colour = f"#{red:02x}{green:02x}{blue:02x}"
        words = f"{name}: track {track}, {when}"
        parts.append(rectangle(begin, y + 2, end - begin, _BAR, words, fill=colour, rx=1.5))
        if end - begin > 8 + 7 * len(track):
            dark = 0.114 * blue + 0.587 * green + 0.299 * red > 128
            parts.append(label(begin + 4, y + 11.5, track, "on-dark" if not dark else "on-light"))
    for switch in history.switches:
        x = axis.x(times_s[switch.after])
        words = f"<title>{name}: track {switch.old} became {switch.new}</title>"
        points = f"{x - 4.5:.1f},{y - 1} {x + 4.5:.1f},{y - 1} {x:.1f},{y + 5}"
        parts.append(element("line", x1=x, x2=x, y1=y, y2=y + _ROW - 2, class_="switch"))
        parts.append(element("polygon", words, points=points, class_="switch-mark"))
    if count := len(history.switches):
        parts.append(
            label(WIDTH - RIGHT + 8, y + 12, f"{count} switch{'es' * (count > 1)}", "count")
        )
    return parts


def _stretches(history: ObjectHistory) -> list[tuple[str | None, int, int]]:
    """Track or None, first and last labelled frame of stretches without a change or a pause."""
    stretches: list[tuple[str | None, int, int]] = []
    for frame, track in history.moments:
        if stretches and stretches[-1][0] == track and stretches[-1][2] == frame - 1:
            stretches[-1] = (track, stretches[-1][1], frame)
        else:
            stretches.append((track, frame, frame))
    return stretches


def draw_errors(events: Events, times_s: Sequence[float], seconds: float) -> str:
    """Misses above a line and false positives below it, a labelled frame on average."""
    axis = TimeAxis(seconds)
    middle = _TOP + _CHART
    bins = min(_BINS, max(len(times_s), 1))
    places = np.minimum(np.array(times_s) / axis.seconds * bins, bins - 1).astype(int)
    frames = np.maximum(np.bincount(places, minlength=bins), 1)
    parts = axis.grid(_TOP, middle + _CHART)
    sides = ("missed", events.misses, -1), ("false", events.false_positives, 1)
    highest = max(1.0, *(float((_sums(v, places, bins) / frames).max()) for _, v, _ in sides))
    width = (axis.x(axis.seconds) - LEFT) / bins
    for kind, values, side in sides:
        means = _sums(values, places, bins) / frames
        for place, mean in enumerate(means.tolist()):
            height = mean / highest * (_CHART - 4)
            top = middle - height if side < 0 else middle
            if height:
                words = f"{mean:.1f} {kind} a frame"
                parts.append(
                    rectangle(LEFT + place * width, top, width * 0.9, height, words, class_=kind)
                )
    parts.append(label(LEFT - 8, _TOP + 24, "missed objects", "row", text_anchor="end"))
    parts.append(label(LEFT - 8, middle + 34, "false tracks", "row", text_anchor="end"))
    parts.append(label(WIDTH - RIGHT + 8, _TOP + 10, f"{highest:.1f} a frame", "count"))
    parts.append(
        element("line", x1=LEFT, x2=axis.x(axis.seconds), y1=middle, y2=middle, class_="axis")
    )
    return picture(middle + _CHART + 22, parts, "Missed objects and false tracks over time")


def _sums(values: Sequence[int], places: np.ndarray, bins: int) -> np.ndarray:
    return np.bincount(places, np.array(values, float), minlength=bins)
