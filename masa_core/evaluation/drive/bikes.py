"""Bicycles and motorcycles, without their riders."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from masa_core.evaluation.drive.shapes import (
    BLACK,
    Action,
    Figure,
    Part,
    blob,
    disc,
    line,
    patch,
    rectangle,
    some_colour,
)


class Bicycle:
    category = "bicycle"

    def __init__(self, rng: np.random.Generator) -> None:
        frame = some_colour(rng)
        front, back = (0.0, 0.34, 0.52), (0.0, 0.34, -0.52)
        pedals, saddle, head = (0, 0.32, 0.0), (0, 0.95, -0.22), (0, 0.92, 0.32)
        parts: list[Part] = [
            line(_closed(disc(front, 0.32, True)), 0.028, BLACK),
            line(_closed(disc(back, 0.32, True)), 0.028, BLACK),
            line([back, pedals, head, saddle, pedals], 0.026, frame),
            line([back, saddle], 0.02, frame),
            line([front, head, (0, 1.05, 0.34)], 0.026, frame),
            line([(-0.28, 1.03, 0.36), (0.28, 1.03, 0.36)], 0.02, BLACK),
            blob([(0, 0.98, -0.34), (0, 0.98, -0.14)], (0.07, 0.04), BLACK),
            blob([(0, 0.75, -0.62)], 0.035, (40, 35, 200)),
        ]
        for hub in (front, back):
            for rim in disc(hub, 0.3, True, 6):
                parts.append(line([np.array(hub), rim], 0.004, (150, 150, 150)))
        if rng.random() < 0.4:
            parts.append(blob([(0.0, 0.85, 0.6)], 0.14, some_colour(rng)))  # a basket
        self._figure = Figure(parts, rectangle(0.35, 1.7), 1.05)

    def figure(self, action: Action) -> Figure:
        return self._figure


class Motorcycle:
    category = "motorcycle"

    def __init__(self, rng: np.random.Generator) -> None:
        self._paint, self._seat = some_colour(rng), some_colour(rng, ((35, 35, 40), (40, 50, 80)))
        self._box = some_colour(rng) if rng.random() < 0.4 else None
        self._figures = {lit: self._build(lit) for lit in (False, True)}

    def figure(self, action: Action) -> Figure:
        return self._figures[action.braking]

    def _build(self, braking: bool) -> Figure:
        red = (60, 50, 250) if braking else (40, 30, 160)
        front, back = (0.0, 0.31, 0.7), (0.0, 0.31, -0.68)
        parts: list[Part] = [
            line(_closed(disc(front, 0.25, True)), 0.065, BLACK),
            line(_closed(disc(back, 0.25, True)), 0.075, BLACK),
            blob([(0, 0.42, 0.1), (0, 0.5, -0.2)], (0.2, 0.17), (70, 70, 72)),
            blob([(0, 0.78, 0.2), (0, 0.74, -0.1)], (0.17, 0.12), self._paint),
            blob([(0, 0.72, -0.1), (0, 0.8, -0.75)], (0.12, 0.1), self._seat),
            blob([(0, 0.55, -0.75), (0, 0.75, -0.8)], (0.09, 0.12), self._paint),
            line([front, (0, 0.95, 0.42)], 0.05, (120, 120, 125)),
            line([(-0.36, 1.0, 0.38), (0.36, 1.0, 0.38)], 0.03, BLACK),
            blob([(0, 0.85, 0.58)], 0.13, self._paint),
            patch(
                [(-0.1, 0.5, -0.95), (0.1, 0.5, -0.95), (0.1, 0.36, -0.95), (-0.1, 0.36, -0.95)],
                (215, 215, 215),
            ),
            blob([(-0.07, 0.74, -0.9), (0.07, 0.74, -0.9)], 0.05, red),
        ]
        if self._box:
            parts.append(blob([(0, 1.0, -0.8), (0, 1.1, -0.8)], 0.2, self._box))
        return Figure(parts, rectangle(0.6, 2.0), 1.15)


def _closed(points: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.concatenate((points, points[:1]))
