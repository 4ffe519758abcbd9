"""Traffic signs on their posts."""

from __future__ import annotations

import numpy as np

from masa_core.evaluation.drive.shapes import Action, Colour, Figure, Patch, line, patch, rectangle

_WHITE: Colour = (238, 238, 238)
_RED: Colour = (40, 35, 190)
_BLUE: Colour = (165, 85, 30)
_YELLOW: Colour = (50, 195, 240)
_GREEN: Colour = (75, 110, 30)
_INK: Colour = (35, 32, 30)

# Corners, turn, border and face. 24 corners are a circle.
_KINDS = (
    (24, 0.0, _RED, _WHITE),  # limit
    (24, 0.0, _WHITE, _BLUE),  # order
    (3, 0.0, _RED, _WHITE),  # warning
    (8, np.pi / 8, _WHITE, _RED),  # stop
    (4, 0.0, _INK, _YELLOW),  # warning of another country
    (4, np.pi / 4, _WHITE, _BLUE),  # information
    (4, np.pi / 4, _WHITE, _GREEN),  # direction
)


class Sign:
    """A plate with a glyph of its own: squares set by chance, mirrored as digits often are."""

    category = "traffic sign"

    def __init__(self, rng: np.random.Generator) -> None:
        corners, turn, border, face = _KINDS[rng.integers(len(_KINDS))]
        size, middle = rng.uniform(0.4, 0.6), rng.uniform(2.1, 2.9)
        plate = _polygon(corners, turn, size, middle, border)
        plate.decals.append((_polygon(corners, turn, size * 0.82, middle, border).points, face))
        ink = _INK if face in (_WHITE, _YELLOW) else _WHITE
        cell, centre = size * 0.17, middle - (0.1 * size if corners == 3 else 0)
        glyph = rng.random((5, 2)) < 0.6
        for row, column in np.argwhere(np.hstack((glyph, glyph[:, ::-1]))):
            x, y = (1 - column) * cell, centre + (1.7 - row) * cell
            left, right = x + cell, x
            spot = [(left, y + cell), (right, y + cell), (right, y), (left, y)]
            plate.decals.append((np.array([(px, py, 0.03) for px, py in spot]), ink))
        post = line([(0, 0, 0), (0, plate.points[:, 1].min(), 0)], 0.045, (140, 142, 145))
        back = patch(plate.points[::-1], (120, 122, 124))
        self._figure = Figure([post, plate, back], rectangle(0.25, 0.25), middle + size)

    def figure(self, action: Action) -> Figure:
        return self._figure


def _polygon(corners: int, turn: float, size: float, middle: float, colour: Colour) -> Patch:
    """Facing the way the sign faces."""
    angles = turn - np.linspace(0, 2 * np.pi, corners, endpoint=False)
    x, y = size * np.sin(angles), middle + size * np.cos(angles)
    return patch(np.column_stack((x, y, np.full(corners, 0.03))), colour)
