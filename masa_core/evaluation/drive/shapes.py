"""What drawn objects are made of: flat patches, round blobs and lines, in metres.

An object's own coordinates: x to its right, y up from the road, z the way it faces; the origin is
on the road below its middle. Colours are BGR, 0..255.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

Colour = tuple[float, float, float]

BLACK: Colour = (22, 22, 24)


@dataclass
class Patch:
    """A convex polygon (N, 3), seen from the side on which its corners run clockwise.

    decals: polygons on it with their colours, drawn in order. normal: which side is lit.
    """

    points: NDArray[np.float64]
    colour: Colour
    decals: list[tuple[NDArray[np.float64], Colour]] = field(default_factory=list)
    normal: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        first, second = self.points[1] - self.points[0], self.points[2] - self.points[0]
        normal = np.cross(first, second)
        self.normal = normal / max(float(np.linalg.norm(normal)), 1e-9)

    def decal(self, left: float, top: float, right: float, bottom: float, colour: Colour) -> Patch:
        """Paints a rectangle on a patch of four corners: top left, top right, bottom right, bottom
        left. The edges are shares of the patch. Returns the patch itself."""
        corners = ((left, top), (right, top), (right, bottom), (left, bottom))
        a, b, c, d = self.points
        inside = [(1 - v) * ((1 - u) * a + u * b) + v * ((1 - u) * d + u * c) for u, v in corners]
        self.decals.append((np.array(inside), colour))
        return self


@dataclass
class Blob:
    """The convex hull of spheres: points (N, 3), and the radius of each."""

    points: NDArray[np.float64]
    radii: tuple[float, ...]
    colour: Colour


@dataclass
class Line:
    """A thin tube along points (N, 3)."""

    points: NDArray[np.float64]
    radius: float
    colour: Colour


Part = Patch | Blob | Line


@dataclass(frozen=True)
class Action:
    """What an object is doing. phase: of its steps or pedals, in radians."""

    phase: float = 0.0
    moving: bool = True
    braking: bool = False


@dataclass
class Figure:
    """An object as it looks at one time.

    footprint: (N, 2) x and z of a convex outline on the road, which casts the shadow.
    """

    parts: Sequence[Part]
    footprint: NDArray[np.float64]
    height: float


def colour_of(values: NDArray[np.float64]) -> Colour:
    blue, green, red = values.tolist()
    return blue, green, red


def shaded(colour: Colour, factor: float) -> Colour:
    return colour_of(np.clip(np.array(colour) * factor, 0, 255))


def some_colour(rng: np.random.Generator, palette: Sequence[Colour] = ()) -> Colour:
    """Near one of a palette; without one, any."""
    if not palette:
        pure = rng.uniform(20, 235, 3)
        return colour_of(pure + rng.uniform(0.2, 0.7) * (pure.mean() - pure))  # dyes are dull
    base = np.array(palette[int(rng.integers(len(palette)))])
    return colour_of(np.clip(base * rng.uniform(0.8, 1.12) + rng.normal(0, 6, 3), 12, 245))


def patch(points: ArrayLike, colour: Colour) -> Patch:
    return Patch(np.array(points, float), colour)


def blob(
    points: ArrayLike | Sequence[ArrayLike], radii: float | tuple[float, ...], colour: Colour
) -> Blob:
    array = np.array(points, float).reshape(-1, 3)
    return Blob(array, radii if isinstance(radii, tuple) else (radii,) * len(array), colour)


def line(points: ArrayLike | Sequence[ArrayLike], radius: float, colour: Colour) -> Line:
    return Line(np.array(points, float), radius, colour)


def disc(centre: ArrayLike, radius: float, right: bool, corners: int = 14) -> NDArray[np.float64]:
    """A polygon (corners, 3) in the plane of y and z, seen from the right or from the left."""
    angles = np.linspace(0, 2 * np.pi, corners, endpoint=False) * (1 if right else -1)
    circle = np.column_stack((np.zeros(corners), np.cos(angles), np.sin(angles)))
    return np.array(centre, float) + radius * circle


def rectangle(width: float, length: float) -> NDArray[np.float64]:
    """A footprint around the origin."""
    return np.array([(-1, -1), (-1, 1), (1, 1), (1, -1)]) * (width / 2, length / 2)


def box(
    width: float, bottom: float, top: float, back: float, front: float, colour: Colour
) -> dict[str, Patch]:
    """The sides of a box by name: back, front, left, right, top."""
    x, y0, y1, z0, z1 = width / 2, bottom, top, back, front
    return {
        "back": patch([(-x, y1, z0), (x, y1, z0), (x, y0, z0), (-x, y0, z0)], colour),
        "front": patch([(x, y1, z1), (-x, y1, z1), (-x, y0, z1), (x, y0, z1)], colour),
        "left": patch([(-x, y1, z1), (-x, y1, z0), (-x, y0, z0), (-x, y0, z1)], colour),
        "right": patch([(x, y1, z0), (x, y1, z1), (x, y0, z1), (x, y0, z0)], colour),
        "top": patch([(-x, y1, z1), (x, y1, z1), (x, y1, z0), (-x, y1, z0)], colour),
    }
