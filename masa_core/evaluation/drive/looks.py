"""Looks: what an individual brings to be shown, however it is drawn."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from masa_core.evaluation.drive.bikes import Bicycle, Motorcycle
from masa_core.evaluation.drive.cars import Car
from masa_core.evaluation.drive.lorries import Bus, Truck
from masa_core.evaluation.drive.people import Person, Rider
from masa_core.evaluation.drive.render import Pose, Sprite, draw_figure
from masa_core.evaluation.drive.shapes import Action, Figure
from masa_core.evaluation.drive.signs import Sign
from masa_core.evaluation.drive.view import View

_TEXTURE_PX = 48


class Look(Protocol):
    """The appearance of one individual.

    category: its class. footprint: (N, 2) x and z of its convex outline on the road, in metres.
    """

    category: str
    footprint: NDArray[np.float64]
    height: float

    def draw(self, action: Action, pose: Pose, view: View, light: float) -> Sprite | None:
        """Its cut-out; None where nothing of it is in the frame. light: factor of brightness."""
        ...


class _Model(Protocol):
    category: str

    def figure(self, action: Action) -> Figure: ...


class DrawnLook:
    """A model of patches and blobs, with dirt and reflections that are this individual's own."""

    def __init__(self, model: _Model, rng: np.random.Generator) -> None:
        self.category = model.category
        self._model = model
        figure = model.figure(Action())
        self.footprint, self.height = figure.footprint, figure.height
        size = (_TEXTURE_PX, _TEXTURE_PX)
        coarse = rng.normal(1, 0.06, (6, 6)).astype(np.float32)
        fine = rng.normal(0, 0.02, size).astype(np.float32)
        from_sky = np.linspace(1.1, 0.82, _TEXTURE_PX, dtype=np.float32)[:, None]
        self._texture = (cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC) + fine) * from_sky

    def draw(self, action: Action, pose: Pose, view: View, light: float) -> Sprite | None:
        return draw_figure(self._model.figure(action), pose, view, light, self._texture)


_MODELS: dict[str, Callable[[np.random.Generator], _Model]] = {
    "car": Car,
    "truck": Truck,
    "bus": Bus,
    "bicycle": Bicycle,
    "motorcycle": Motorcycle,
    "pedestrian": Person,
    "rider": partial(Rider, motor=False),
    "motorcyclist": partial(Rider, motor=True),
    "traffic sign": Sign,
}


def drawn_look(kind: str, rng: np.random.Generator) -> Look:
    """A new individual of a category of BDD100K, or a "motorcyclist" for a motorcycle."""
    return DrawnLook(_MODELS[kind](rng), rng)
