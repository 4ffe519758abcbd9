"""Paths on the road around the camera, and who follows them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import PchipInterpolator

from masa_core.evaluation.drive.looks import Look
from masa_core.evaluation.drive.render import Pose
from masa_core.evaluation.drive.shapes import Action

_STEPS_PER_S = 0.95  # pairs of steps, or turns of the pedals
_BRAKING_M_S2 = -0.5
_STILL_M_S = 0.2


class Path:
    """A smooth path through (time_s, x, z), relative to a camera that moves ahead.

    camera_m_s: how fast the camera moves, so that things face the way they move over the road.
    yaw: which way they face, at each knot or always, where they do not.
    """

    def __init__(
        self,
        knots: Sequence[tuple[float, float, float]],
        camera_m_s: float,
        yaw: float | Sequence[float] | None = None,
    ) -> None:
        times, x, z = np.array(knots, float).T
        self.start_s, self.end_s = float(times[0]), float(times[-1])
        self._place = PchipInterpolator(times, np.column_stack((x, z)))  # does not overshoot
        self._motion = self._place.derivative()
        self._change = self._place.derivative(2)
        self._camera_m_s = camera_m_s
        self._times = times
        self._yaws = None if yaw is None else np.unwrap(np.broadcast_to(yaw, times.shape))

    def covers(self, time_s: float) -> bool:
        return self.start_s <= time_s <= self.end_s

    def places(self, times_s: NDArray[np.float64]) -> NDArray[np.float64]:
        """(N, 2) x and z."""
        return np.asarray(self._place(times_s))

    def at(self, time_s: float) -> tuple[Pose, Action]:
        x, z = self._place(time_s).tolist()
        sideways, ahead = self._motion(time_s).tolist()
        over_road = np.array((sideways, ahead + self._camera_m_s))
        speed = float(np.hypot(*over_road))
        if self._yaws is not None:
            yaw = float(np.interp(time_s, self._times, self._yaws))
        else:
            yaw = float(np.arctan2(*over_road)) if speed > _STILL_M_S else 0.0
        gain = float(over_road @ self._change(time_s)) / max(speed, _STILL_M_S)
        action = Action(
            phase=2 * np.pi * _STEPS_PER_S * time_s,
            moving=speed > _STILL_M_S,
            braking=gain < _BRAKING_M_S2,
        )
        return Pose(x, z, yaw), action


@dataclass
class Actor:
    """One individual with its id in the truth, and the paths of its visits, in order of time."""

    look: Look
    visits: list[Path]
    id: int = 0
    tone: tuple[float, float] = (0.0, 0.0)  # phases of its light

    @property
    def start_s(self) -> float:
        return self.visits[0].start_s

    @property
    def end_s(self) -> float:
        return self.visits[-1].end_s

    def at(self, time_s: float) -> tuple[Pose, Action] | None:
        """None between its visits."""
        for visit in self.visits:
            if visit.covers(time_s):
                return visit.at(time_s)
        return None

    def light(self, time_s: float) -> float:
        """Its own share of sun and shade at a time, around 1."""
        first, second = self.tone
        return float(1 + 0.07 * np.sin(0.9 * time_s + first) + 0.05 * np.sin(2.3 * time_s + second))


def clash(first: Actor, second: Actor) -> bool:
    """Whether two of them are ever in one place."""
    half = (np.ptp(first.look.footprint, axis=0) + np.ptp(second.look.footprint, axis=0)) / 2
    room = half + (0.25, 0.6)
    for a in first.visits:
        for b in second.visits:
            start, end = max(a.start_s, b.start_s), min(a.end_s, b.end_s)
            if start < end:
                times = np.arange(start, end, 0.1)
                if (np.abs(a.places(times) - b.places(times)) < room).all(axis=1).any():
                    return True
    return False
