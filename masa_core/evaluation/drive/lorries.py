"""Trucks and buses: boxes on wheels, with what is painted on them."""

from __future__ import annotations

import numpy as np

from masa_core.evaluation.drive.car_sides import GLASS
from masa_core.evaluation.drive.cars import LAMP, SKY_ON_GLASS, TAIL_LIGHT
from masa_core.evaluation.drive.shapes import (
    BLACK,
    Action,
    Colour,
    Figure,
    Patch,
    box,
    disc,
    rectangle,
    shaded,
    some_colour,
)

_TYRE: Colour = (28, 27, 27)
_WHEEL = ((0.48, BLACK), (0.46, (45, 44, 44)), (0.24, (130, 130, 130)))  # radii and colours
_FLEET: tuple[Colour, ...] = (
    (240, 240, 240),
    (200, 200, 205),
    (40, 60, 190),
    (150, 90, 30),
    (60, 140, 60),
    (30, 170, 220),
)


class Truck:
    """A cab and a box with a sign on it."""

    category = "truck"

    def __init__(self, rng: np.random.Generator) -> None:
        self._length = rng.uniform(6.5, 9.5)
        self._width = rng.uniform(2.2, 2.5)
        self._height = rng.uniform(2.9, 3.6)
        self._cab = some_colour(rng, _FLEET)
        self._box = some_colour(rng, _FLEET)
        self._sign, self._stripe = some_colour(rng), some_colour(rng)
        self._mark = np.sort(rng.uniform(0.12, 0.88, (2, 2)), axis=0)
        self._mark[1] = np.maximum(self._mark[1], self._mark[0] + 0.15)
        self._doors = rng.random() < 0.6
        self._figures = {braking: self._build(braking) for braking in (False, True)}

    def figure(self, action: Action) -> Figure:
        return self._figures[action.braking]

    def _build(self, braking: bool) -> Figure:
        back, front = -self._length / 2, self._length / 2
        cab = box(self._width * 0.96, 0.5, 2.6, front - 2.0, front, self._cab)
        cab["front"].decal(0.05, 0.1, 0.95, 0.48, GLASS).decal(0.2, 0.62, 0.8, 0.82, BLACK)
        cab["front"].decal(0.03, 0.84, 0.16, 0.93, LAMP).decal(0.84, 0.84, 0.97, 0.93, LAMP)
        for name in ("left", "right"):
            cab[name].decal(0.2, 0.1, 0.8, 0.45, GLASS)
        load = box(self._width, 0.75, self._height, back, front - 2.15, self._box)
        (left, top), (right, bottom) = self._mark.tolist()
        middle = (top + bottom) / 2
        for name in ("left", "right", "back"):
            load[name].decal(left, top, right, bottom, self._sign)
            load[name].decal(left + 0.03, middle - 0.05, right - 0.03, middle + 0.05, self._stripe)
            load[name].decal(0, 0.9, 1, 0.93, shaded(self._box, 0.7))
        if self._doors:
            load["back"].decal(0.49, 0, 0.51, 0.94, shaded(self._box, 0.55))
        _add_wheels(load, [back + 1.3, back + 2.5])
        _add_wheels(cab, [front - 1.1])
        _add_lights(load["back"], braking)
        parts = [*cab.values(), *load.values()]
        return Figure(parts, rectangle(self._width, self._length), self._height)


class Bus:
    """A long box with a row of windows."""

    category = "bus"

    def __init__(self, rng: np.random.Generator) -> None:
        self._length = rng.uniform(10.5, 12.0)
        self._width = 2.5
        self._height = rng.uniform(3.0, 3.3)
        self._paint, self._skirt = some_colour(rng, _FLEET), some_colour(rng)
        self._advert = some_colour(rng)
        self._windows = int(rng.integers(5, 9))
        self._figures = {braking: self._build(braking) for braking in (False, True)}

    def figure(self, action: Action) -> Figure:
        return self._figures[action.braking]

    def _build(self, braking: bool) -> Figure:
        half, step = self._length / 2, 0.94 / self._windows
        sides = box(self._width, 0.35, self._height, -half, half, self._paint)
        for name in ("left", "right"):
            sides[name].decal(0, 0.72, 1, 1, self._skirt)
            for left in (0.03 + step * np.arange(self._windows)).tolist():
                sides[name].decal(left, 0.14, left + 0.86 * step, 0.52, GLASS)
                sides[name].decal(left, 0.16, left + 0.5 * step, 0.26, SKY_ON_GLASS)
        back, front = sides["back"], sides["front"]
        back.decal(0.1, 0.12, 0.9, 0.38, GLASS).decal(0.15, 0.5, 0.85, 0.8, self._advert)
        front.decal(0.04, 0.2, 0.96, 0.6, GLASS).decal(0.2, 0.04, 0.8, 0.15, BLACK)
        front.decal(0.25, 0.06, 0.7, 0.13, (60, 190, 250)).decal(0, 0.75, 1, 1, self._skirt)
        front.decal(0.04, 0.8, 0.2, 0.88, LAMP).decal(0.8, 0.8, 0.96, 0.88, LAMP)
        _add_wheels(sides, [-half + 2.6, half - 2.4])
        _add_lights(back, braking)
        return Figure(list(sides.values()), rectangle(self._width, self._length), self._height)


def _add_wheels(sides: dict[str, Patch], places_z: list[float]) -> None:
    """Wheels at the sides, and as one sees them from behind or from in front."""
    for name, right in (("left", False), ("right", True)):
        side = sides[name]
        for z in places_z:
            centre = (1.004 * side.points[0, 0], 0.46, z)
            for radius, colour in _WHEEL:
                side.decals.append((disc(centre, radius, right), colour))
    for name in ("back", "front"):
        end = sides[name]
        x, z = end.points[:, 0], end.points[0, 2]
        for share in (0.0, 0.78):
            left = x[0] + share * (x[1] - x[0])
            right_x = left + 0.22 * (x[1] - x[0])
            tyre = [(left, 0.5, z), (right_x, 0.5, z), (right_x, 0, z), (left, 0, z)]
            end.decals.insert(0, (np.array(tyre), _TYRE))


def _add_lights(back: Patch, braking: bool) -> None:
    light = TAIL_LIGHT[braking]
    back.decal(0.02, 0.86, 0.12, 0.92, light).decal(0.88, 0.86, 0.98, 0.92, light)
    back.decal(0, 0.94, 1, 1, BLACK).decal(0.42, 0.95, 0.58, 0.985, (215, 215, 215))
