"""People who walk or cycle: bodies of blobs, dressed by chance."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from masa_core.evaluation.drive.shapes import (
    BLACK,
    Action,
    Blob,
    Colour,
    Figure,
    blob,
    rectangle,
    shaded,
    some_colour,
)

_SKINS: tuple[Colour, ...] = ((150, 180, 225), (120, 150, 205), (80, 110, 165), (50, 70, 110))
_HAIRS: tuple[Colour, ...] = ((30, 32, 38), (40, 60, 90), (90, 140, 175), (150, 150, 155))
_TROUSERS: tuple[Colour, ...] = ((95, 65, 45), (45, 42, 40), (70, 90, 110), (130, 125, 120))


class Person:
    """One individual."""

    category = "pedestrian"

    def __init__(self, rng: np.random.Generator) -> None:
        self.height = rng.uniform(1.5, 1.92)
        self.build = rng.uniform(0.88, 1.2)
        self.skin, self.hair = some_colour(rng, _SKINS), some_colour(rng, _HAIRS)
        self.top, self.sleeves = some_colour(rng), None
        if rng.random() < 0.25:
            self.sleeves = some_colour(rng)
        self.trousers = some_colour(rng, _TROUSERS if rng.random() < 0.7 else ())
        self.shoes = some_colour(rng, ((35, 35, 38), (225, 225, 225), (60, 60, 170)))
        self.bag = some_colour(rng) if rng.random() < 0.35 else None
        self.hat = some_colour(rng) if rng.random() < 0.25 else None
        self.coat = rng.random() < 0.25  # down to the knees
        self.short_sleeves = rng.random() < 0.4

    def figure(self, action: Action) -> Figure:
        h, stride = self.height, 1.0 if action.moving else 0.08
        phase, swing = action.phase, np.sin(action.phase) * stride
        hip = np.array([0, 0.52 * h + 0.012 * h * abs(np.cos(phase)) * stride, 0.0])
        parts: list[Blob] = []
        for side, angle in ((-1, swing), (1, -swing)):
            joint = hip + (side * 0.055 * h * self.build, 0, 0)
            knee = joint + _along(0.5 * angle - 0.12, 0.255 * h)
            foot = knee + _along(0.5 * angle + 0.35 * max(-angle, 0) + 0.06, 0.25 * h)
            parts += self._leg(joint, knee, foot)
        shoulders = hip + (0, 0.29 * h, 0.02 * h)
        for side, angle in ((-1, -swing), (1, swing)):
            joint = shoulders + (side * 0.118 * h * self.build, -0.03 * h, 0)
            elbow = joint + _along(0.55 * angle + 0.05, 0.17 * h)
            hand = elbow + _along(0.55 * angle - 0.3, 0.15 * h)
            parts += self._arm(joint, elbow, hand)
        parts += self.trunk(hip, shoulders)
        return Figure(parts, rectangle(0.5, 0.45), h)

    def trunk(self, hip: NDArray[np.float64], shoulders: NDArray[np.float64]) -> list[Blob]:
        """Body and head of somebody whose hip and shoulders have these middles."""
        h, half = self.height, 0.075 * self.height * self.build
        x = np.array([1.0, 0, 0])
        chest = shoulders - (0, 0.035 * h, 0)
        corners = [hip - half * x, hip + half * x, chest - 1.3 * half * x, chest + 1.3 * half * x]
        girth = 0.047 * h * self.build
        parts = [blob([*corners, shoulders], (*(girth,) * 4, 0.035 * h), self.top)]
        if self.coat:
            knees = hip - (0, 0.2 * h, 0)
            hem = [hip - half * x, hip + half * x, knees - 1.15 * half * x, knees + 1.15 * half * x]
            parts.append(blob(hem, 0.045 * h, shaded(self.top, 0.92)))
        else:
            belt = [hip - half * x, hip + half * x]
            parts.append(blob(belt, 0.05 * h * self.build, self.trousers))
        if self.bag:
            behind = np.array([0, 0.0, -0.08 * h])
            ends = [hip + (0, 0.1 * h, 0) + behind, shoulders + behind - (0, 0.03 * h, 0)]
            parts.append(blob(ends, 0.07 * h, self.bag))
        neck = shoulders + (0, 0.04 * h, 0.01 * h)
        head = shoulders + (0, 0.125 * h, 0.02 * h)
        parts.append(blob([neck, head], (0.03 * h, 0.05 * h), self.skin))
        parts.append(blob([head, head + (0, 0.03 * h, 0)], (0.056 * h, 0.05 * h), self.skin))
        crown = head + (0, 0.032 * h, -0.018 * h)
        nape = head + (0, -0.01 * h, -0.03 * h)
        parts.append(blob([crown, nape], (0.058 * h, 0.045 * h), self.hat or self.hair))
        return parts

    def _leg(self, joint: NDArray, knee: NDArray, foot: NDArray) -> list[Blob]:
        h = self.height
        toe = foot + (0, -0.005 * h, 0.075 * h)
        return [
            blob([joint, knee], (0.05 * h * self.build, 0.036 * h), self.trousers),
            blob([knee, foot], (0.036 * h, 0.026 * h), shaded(self.trousers, 0.93)),
            blob([foot, toe], (0.026 * h, 0.018 * h), self.shoes),
        ]

    def _arm(self, joint: NDArray, elbow: NDArray, hand: NDArray) -> list[Blob]:
        h, sleeve = self.height, self.sleeves or shaded(self.top, 0.9)
        lower = self.skin if self.short_sleeves else sleeve
        return [
            blob([joint, elbow], (0.033 * h, 0.026 * h), sleeve),
            blob([elbow, hand], (0.025 * h, 0.02 * h), lower),
            blob([hand], 0.023 * h, self.skin),
        ]


class Rider(Person):
    """Somebody on a bicycle, or on a motorcycle."""

    category = "rider"

    def __init__(self, rng: np.random.Generator, motor: bool) -> None:
        super().__init__(rng)
        self.motor = motor
        self.coat = False
        self._lean = rng.uniform(0.05, 0.2)
        if motor or rng.random() < 0.6:
            self.hat = some_colour(rng) if rng.random() < 0.7 else BLACK  # a helmet

    def figure(self, action: Action) -> Figure:
        h, phase, lean = self.height, action.phase, self._lean
        saddle = 0.82 if self.motor else 1.0
        hip = np.array([0, saddle, -0.25])
        shoulders = hip + (0, 0.25 * h, 0.1 * h + lean)
        parts: list[Blob] = []
        for side, turn in ((-1, phase), (1, phase + np.pi)):
            joint = hip + (side * 0.09, 0, 0)
            if self.motor:
                foot = np.array([side * 0.2, 0.38, 0.05])
            else:
                foot = np.array(
                    [side * 0.12, 0.32 + 0.16 * np.cos(turn), 0.1 + 0.16 * np.sin(turn)]
                )
            knee = (joint + foot) / 2 + (side * 0.04, 0.06, 0.22)
            parts += self._leg(joint, knee, foot)
            hand = np.array([side * 0.27, 1.02, 0.42])
            shoulder = shoulders + (side * 0.118 * h, -0.03 * h, 0)
            elbow = (shoulder + hand) / 2 + (side * 0.06, -0.06, 0)
            parts += self._arm(shoulder, elbow, hand)
        parts += self.trunk(hip, shoulders)
        return Figure(parts, rectangle(0.5, 0.8), 1.0 + 0.5 * h)


def _along(angle: float, length: float) -> NDArray[np.float64]:
    """A bone that hangs down, swung forward by an angle."""
    return np.array([0, -np.cos(angle) * length, np.sin(angle) * length])
