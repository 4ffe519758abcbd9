"""The outline of cars, and what one sees of it from the side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

import numpy as np
from numpy.typing import NDArray

from masa_core.evaluation.drive.shapes import BLACK, Colour, Patch, disc, shaded

GLASS: Colour = (58, 50, 44)
AXLES = (0.18, 0.81)  # shares of the length, from the tail
_TYRE: Colour = (48, 46, 45)
_CABIN = 0.79  # width of the roof as a share of the car's


@dataclass(frozen=True)
class CarShape:
    """Outline of a car from the side, in metres; z counts from its tail.

    hood_z, windscreen_z: where the glass of the front begins and ends; back_z, tail_z: the same
    of the back. hood, belt, deck: heights of the hood's tip, of the windows' lower edge in front,
    and at the back.
    """

    length: float
    width: float
    height: float
    hood_z: float
    windscreen_z: float
    back_z: float
    tail_z: float
    hood: float
    belt: float
    deck: float

    def scaled(self, length: float, width: float, height: float) -> CarShape:
        """The same with factors."""
        factors = np.array([length, width, height, *[length] * 4, *[height] * 3])
        return CarShape(*(np.array(astuple(self)) * factors).tolist())


@dataclass(frozen=True)
class CarPaint:
    """Colours of a car. trim: below. hub: of its wheels. stripe: None where it has none."""

    body: Colour
    trim: Colour
    roof: Colour
    hub: Colour
    stripe: Colour | None


def car_side(shape: CarShape, paint: CarPaint, right: bool) -> list[Patch]:
    """Body and windows of one side."""
    edge = shape.width / 2 * (1 if right else -1)

    def at(outline: Sequence[tuple[float, float]], x: float) -> NDArray[np.float64]:
        """Of (z, y) from the tail on, running clockwise as seen from the right."""
        points = np.array([(x, y, z - shape.length / 2) for z, y in outline])
        return points if right else points[::-1]

    nose, belt = shape.length, [(shape.tail_z, shape.deck), (shape.hood_z, shape.belt)]
    outline = [(0.02, shape.deck - 0.02), *belt, (nose, shape.hood), (nose, 0.3), (0, 0.34)]
    body, out = Patch(at(outline, edge), paint.body), edge * 1.001

    def band(left: float, right: float, top: float, bottom: float, colour: Colour) -> None:
        corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
        body.decals.append((at(corners, out), colour))

    band(0.01, nose, 0.39, 0.27, shaded(paint.trim, 0.55))
    if paint.stripe:
        band(0.1, nose - 0.1, shape.belt * 0.72, shape.belt * 0.72 - 0.1, paint.stripe)
    for z in (0.4 * nose, 0.62 * nose):  # gaps of a door
        band(z, z + 0.03, shape.belt, 0.4, shaded(paint.body, 0.6))
    for axle in AXLES:
        for radius, colour in ((0.40, BLACK), (0.33, _TYRE), (0.21, paint.hub)):
            wheel = disc((out, 0.33, (axle - 0.5) * nose), radius, right)
            body.decals.append((wheel, colour))
    cabin = [(shape.back_z, shape.height), (shape.windscreen_z, shape.height), *reversed(belt)]
    corners = at(cabin, edge * 0.96)
    corners[corners[:, 1] > shape.height - 0.01, 0] = edge * _CABIN
    windows = Patch(corners, paint.body)
    middle = corners.mean(axis=0)
    windows.decals.append((middle + (corners - middle) * (1, 0.78, 0.9), GLASS))
    z = 0.42 * nose
    pillar = at(
        [(z, shape.height), (z + 0.1, shape.height), (z + 0.1, shape.belt), (z, shape.belt)], 0
    )
    pillar[:, 0] = np.where(pillar[:, 1] == shape.height, edge * _CABIN, edge * 0.96)
    windows.decals.append((pillar, paint.body))
    return [body, windows]
