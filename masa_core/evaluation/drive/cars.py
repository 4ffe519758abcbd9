"""Cars as low polyhedra: the shape by type, the rest by chance."""

from __future__ import annotations

import numpy as np

from masa_core.evaluation.drive.car_sides import AXLES, GLASS, CarPaint, CarShape, car_side
from masa_core.evaluation.drive.shapes import (
    BLACK,
    Action,
    Colour,
    Figure,
    Patch,
    patch,
    rectangle,
    shaded,
    some_colour,
)

SKY_ON_GLASS: Colour = (98, 86, 74)
LAMP: Colour = (235, 235, 225)
TAIL_LIGHT: dict[bool, Colour] = {False: (38, 30, 150), True: (60, 50, 250)}  # by braking
_PLATES: tuple[Colour, ...] = ((225, 225, 225), (90, 190, 225), (200, 160, 90))
_PAINTS: tuple[Colour, ...] = (
    (235, 235, 235),
    (176, 178, 180),
    (120, 118, 116),
    (42, 40, 40),
    (34, 30, 150),
    (130, 72, 30),
    (88, 62, 48),
    (66, 92, 52),
    (140, 190, 208),
    (44, 120, 190),
    (60, 150, 200),
    (160, 120, 60),
)
_SHAPES = (
    CarShape(4.6, 1.82, 1.45, 3.45, 2.75, 1.35, 0.62, 0.72, 0.92, 1.0),  # saloon
    CarShape(4.1, 1.76, 1.50, 3.20, 2.55, 0.55, 0.08, 0.76, 0.94, 0.98),  # hatchback
    CarShape(4.7, 1.92, 1.75, 3.50, 2.80, 0.45, 0.12, 0.95, 1.12, 1.14),  # off-roader
    CarShape(4.9, 1.95, 1.85, 4.10, 3.20, 0.25, 0.08, 0.90, 1.08, 1.08),  # van
    CarShape(5.3, 1.95, 1.80, 4.00, 3.35, 2.25, 2.05, 1.00, 1.18, 1.08),  # pick-up
)
# Left, top, right, bottom of the left tail lights, in shares of the tail.
_TAIL_LIGHTS = (
    ((0.02, 0.1, 0.2, 0.32),),
    ((0.02, 0.02, 0.1, 0.5),),
    ((0.02, 0.12, 0.32, 0.22),),
    ((0.03, 0.08, 0.11, 0.3), (0.14, 0.08, 0.22, 0.3)),
)

Edge = tuple[float, float, float]  # half width, y, and z from the tail


class Car:
    """One individual."""

    category = "car"

    def __init__(self, rng: np.random.Generator) -> None:
        shape = _SHAPES[int(rng.integers(len(_SHAPES)))]
        self._shape = shape.scaled(*rng.uniform(0.95, 1.05, 3).tolist())
        body = some_colour(rng, _PAINTS)
        self._paint = CarPaint(
            body,
            trim=BLACK if rng.random() < 0.4 else body,
            roof=BLACK if rng.random() < 0.2 else body,
            hub=shaded((100, 100, 100), rng.uniform(0.7, 2)),
            stripe=some_colour(rng) if rng.random() < 0.25 else None,
        )
        self._plate = _PLATES[int(rng.integers(len(_PLATES)))]
        self._lights = _TAIL_LIGHTS[int(rng.integers(len(_TAIL_LIGHTS)))]
        self._rails = rng.random() < 0.3
        self._sticker = rng.uniform(0.1, 0.7), rng.uniform(0.1, 0.25)
        self._sticker_colour = some_colour(rng) if rng.random() < 0.4 else None
        self._figures = {braking: self._build(braking) for braking in (False, True)}

    def figure(self, action: Action) -> Figure:
        return self._figures[action.braking]

    def _build(self, braking: bool) -> Figure:
        shape = self._shape
        parts = [*self._back(braking), *self._front(), self._roof()]
        for right in (False, True):
            parts += car_side(shape, self._paint, right)
        return Figure(parts, rectangle(shape.width, shape.length), shape.height)

    def _back(self, braking: bool) -> list[Patch]:
        s, half, body = self._shape, self._shape.width / 2, self._paint.body
        tail = self._across((half, s.deck, 0.05), (half, 0.34, 0.0), body)
        tail.decal(0, 0.8, 1, 1, shaded(self._paint.trim, 0.6))
        for left, top, right, bottom in self._lights:
            tail.decal(left, top, right, bottom, TAIL_LIGHT[braking])
            tail.decal(1 - right, top, 1 - left, bottom, TAIL_LIGHT[braking])
        tail.decal(0.36, 0.40, 0.64, 0.56, self._plate).decal(0.40, 0.45, 0.60, 0.51, BLACK)
        if self._paint.stripe:
            tail.decal(0.02, 0.62, 0.98, 0.68, self._paint.stripe)
        if self._sticker_colour:
            u, v = self._sticker
            tail.decal(u, v, u + 0.08, v + 0.1, self._sticker_colour)
        edge = (half * 0.95, s.deck, s.tail_z)
        glass = self._across((half * 0.78, s.height, s.back_z), edge, body)
        glass.decal(0.06, 0.1, 0.94, 0.93, GLASS).decal(0.1, 0.14, 0.55, 0.3, SKY_ON_GLASS)
        if braking:
            glass.decal(0.42, 0.1, 0.58, 0.15, TAIL_LIGHT[braking])
        deck = self._across(edge, (half, s.deck, 0.05), shaded(body, 0.95))
        return [deck, tail, glass, *self._underneath(True)]

    def _front(self) -> list[Patch]:
        s, half, body = self._shape, self._shape.width / 2, self._paint.body
        nose = self._upright(-1, 1, s.hood, 0.3, s.length, False, body)
        nose.decal(0.24, 0.18, 0.76, 0.5, BLACK)
        nose.decal(0.05, 0.72, 0.95, 1, shaded(self._paint.trim, 0.6))
        nose.decal(0.02, 0.1, 0.22, 0.36, LAMP).decal(0.78, 0.1, 0.98, 0.36, LAMP)
        nose.decal(0.37, 0.55, 0.63, 0.7, self._plate)
        belt = (half * 0.98, s.belt, s.hood_z)
        hood = self._across((half, s.hood, s.length), belt, body)
        screen = self._across(belt, (half * 0.8, s.height, s.windscreen_z), body)
        screen.decal(0.04, 0.04, 0.96, 0.92, GLASS).decal(0.45, 0.1, 0.85, 0.5, SKY_ON_GLASS)
        return [nose, hood, screen, *self._underneath(False)]

    def _roof(self) -> Patch:
        s, half = self._shape, self._shape.width / 2
        front, back = (half * 0.8, s.height, s.windscreen_z), (half * 0.78, s.height, s.back_z)
        roof = self._across(front, back, self._paint.roof)
        for left in (0.02, 0.93) if self._rails else ():
            roof.decal(left, 0.05, left + 0.05, 0.95, BLACK)
        return roof

    def _across(self, front: Edge, back: Edge, colour: Colour) -> Patch:
        """A face from side to side that looks up."""
        middle = self._shape.length / 2
        (w0, y0, z0), (w1, y1, z1) = front, back
        left, right = (-w0, y0, z0 - middle), (w0, y0, z0 - middle)
        return patch([left, right, (w1, y1, z1 - middle), (-w1, y1, z1 - middle)], colour)

    def _underneath(self, back: bool) -> list[Patch]:
        """What is dark below a bumper, and tyres, seen from behind or from in front."""
        length = self._shape.length
        end, axle, towards = (0.02, AXLES[0], -0.3) if back else (length - 0.02, AXLES[1], 0.3)
        parts = [self._upright(-0.97, 0.97, 0.35, 0.22, end, back, BLACK)]
        for left, right in ((-0.94, -0.7), (0.7, 0.94)):
            z = length * axle + towards
            parts.append(self._upright(left, right, 0.27, 0, z, back, BLACK))
        return parts

    def _upright(
        self,
        left: float,
        right: float,
        top: float,
        bottom: float,
        z: float,
        back: bool,
        colour: Colour,
    ) -> Patch:
        """A rectangle across the car, left and right in half widths, that looks back or ahead."""
        half, z = self._shape.width / 2, z - self._shape.length / 2
        a, b = (left * half, right * half) if back else (right * half, left * half)
        return patch([(a, top, z), (b, top, z), (b, bottom, z), (a, bottom, z)], colour)
