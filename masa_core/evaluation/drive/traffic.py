"""Who comes by: traffic of two lanes, people at the roadside and across, parked cars, signs.

The camera drives in its lane. Two vehicles keep it company for a minute or so: they overtake,
lead, fall back or drive away, and come again, so that the same object re-enters.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from masa_core.evaluation.drive.looks import Look
from masa_core.evaluation.drive.paths import Actor, Path, clash

_LEFT_LANE, _SHOULDER, _PARKED, _SIGNS = -3.5, 3.0, 5.6, 7.4  # x in metres
_FAR, _BEHIND = 190.0, -12.0  # z in metres
_LEAD_S = 24.0  # from one visit of a companion to its next
_VISITS = 4
_EARLIER_S = 24.0  # how long before the drive the traffic begins
_TRIES = 5
_TRAFFIC = {"car": 0.66, "truck": 0.14, "bus": 0.1, "motorcycle": 0.1}
_COMPANY = {"car": 0.75, "truck": 0.1, "motorcycle": 0.15}
_PARKING = {"car": 0.85, "truck": 0.15}

Looks = Callable[[str, np.random.Generator], Look]
Knots = Sequence[tuple[float, float, float]]

# Visits of companions: seconds, x and z.
_OVERTAKE: Knots = ((0, -3.5, -12), (2.6, -3.5, 8), (3.6, -2.5, 13), (5, -0.3, 17), (6, 0, 19))
_FALL_BACK: Knots = ((9.5, 0, 22), (11.3, 3, 19), (13.5, 3, 8), (15.5, 3, -12))
_DRIVE_AWAY: Knots = ((9.5, 0, 23), (12, 0, 40), (17, 0, 120), (20, 0, _FAR))
_COME_NEAR: Knots = ((0, 0, _FAR), (5, 0, 80), (8, 0, 38), (9, 0, 28))


class Traffic:
    """Actors of a drive of some seconds.

    camera_m_s: how fast the camera moves. look: makes an individual of a kind.
    """

    def __init__(
        self, seconds: float, camera_m_s: float, look: Looks, rng: np.random.Generator
    ) -> None:
        self._seconds = seconds
        self._speed = camera_m_s
        self._look = look
        self._rng = rng

    def actors(self) -> list[Actor]:
        """In the order in which they come. Of what would be in one place, the later is left out."""
        actors = list(self._companions())
        for every_s, make in (
            (3.6, self._oncoming),
            (9.0, self._cyclist),
            (4.5, self._parked),
            (3.2, self._walkers),
            (11.0, self._crossing),
            (3.8, self._sign),
        ):
            for start_s in self._times(every_s):
                actors += self._without_clash(make, start_s, every_s, actors)
        actors = [actor for actor in actors if actor.end_s > 0]
        return sorted(actors, key=lambda actor: actor.start_s)

    def _times(self, every_s: float) -> Iterator[float]:
        time_s = -_EARLIER_S + every_s * self._rng.uniform(0, 1)
        while time_s < self._seconds:
            yield time_s
            time_s += every_s * self._rng.uniform(0.6, 1.4)

    def _without_clash(
        self,
        make: Callable[[float], list[Actor]],
        start_s: float,
        every_s: float,
        others: list[Actor],
    ) -> list[Actor]:
        for attempt in range(_TRIES):
            group = make(start_s + every_s * attempt / _TRIES)
            end_s = max(actor.end_s for actor in group)
            near = [other for other in others if other.start_s < end_s and other.end_s > start_s]
            if not any(clash(a, b) for a in group for b in near):
                return group
        return []

    def _companions(self) -> Iterator[Actor]:
        """One that always falls back, and one that drives away and is caught up with in turn."""
        start_s = -_LEAD_S * self._rng.uniform(0, 1)
        while start_s < self._seconds:
            times = [start_s + _LEAD_S * visit for visit in range(_VISITS)]
            yield from self._vehicle(
                _COMPANY,
                [self._visit(time_s + _LEAD_S / 2, _OVERTAKE, _FALL_BACK) for time_s in times],
            )
            yield from self._vehicle(
                _COMPANY,
                [
                    self._visit(time_s, _COME_NEAR, _FALL_BACK)
                    if number % 2
                    else self._visit(time_s, _OVERTAKE, _DRIVE_AWAY)
                    for number, time_s in enumerate(times)
                ],
            )
            start_s += _LEAD_S * _VISITS

    def _visit(self, start_s: float, coming: Knots, going: Knots) -> Path:
        aside = self._rng.normal(0, 0.12)
        knots = [(start_s + time_s, x + aside, z) for time_s, x, z in (*coming, *going)]
        return Path(knots, self._speed)

    def _vehicle(self, kinds: dict[str, float], visits: list[Path]) -> list[Actor]:
        """One of some kinds with their shares; a motorcycle with its rider."""
        kind = str(self._rng.choice(list(kinds), p=list(kinds.values())))
        return self._ridden(kind, visits) if kind == "motorcycle" else [self._actor(kind, visits)]

    def _ridden(self, kind: str, visits: list[Path]) -> list[Actor]:
        rider = "motorcyclist" if kind == "motorcycle" else "rider"
        return [self._actor(kind, visits), self._actor(rider, visits)]

    def _actor(self, kind: str, visits: list[Path]) -> Actor:
        first, second = self._rng.uniform(0, 2 * np.pi, 2).tolist()
        return Actor(self._look(kind, self._rng), visits, tone=(first, second))

    def _past(self, start_s: float, x: float, far: float, own_m_s: float, yaw: float) -> list[Path]:
        """The path of something that moves along the road by itself and is passed by."""
        end_s = start_s + (far - _BEHIND) / (self._speed - own_m_s)
        return [Path([(start_s, x, far), (end_s, x, _BEHIND)], self._speed, yaw)]

    def _oncoming(self, start_s: float) -> list[Actor]:
        own_m_s = -self._rng.uniform(11, 15)
        x = _LEFT_LANE + self._rng.normal(0, 0.15)
        return self._vehicle(_TRAFFIC, self._past(start_s, x, _FAR, own_m_s, np.pi))

    def _cyclist(self, start_s: float) -> list[Actor]:
        own_m_s, x = self._speed * self._rng.uniform(0.35, 0.55), self._rng.normal(_SHOULDER, 0.2)
        return self._ridden("bicycle", self._past(start_s, x, 120, own_m_s, 0))

    def _parked(self, start_s: float) -> list[Actor]:
        x = _PARKED + self._rng.normal(0, 0.15)
        yaw = self._rng.choice([0, np.pi]) + self._rng.normal(0, 0.03)
        return self._vehicle(_PARKING, self._past(start_s, x, _FAR, 0, yaw))

    def _walkers(self, start_s: float) -> list[Actor]:
        side = self._rng.choice([-1, 1])
        ahead = self._rng.choice([-1, 1])
        own_m_s = ahead * self._rng.uniform(0.9, 1.6)
        x = side * self._rng.uniform(7.6, 9.5)
        group = []
        for number in range(self._rng.integers(1, 4)):
            yaw = (0 if ahead > 0 else np.pi) + self._rng.normal(0, 0.1)
            later_s = self._rng.uniform(0, 0.12)
            path = self._past(start_s + later_s, x + side * 0.85 * number, 120, own_m_s, yaw)
            group.append(self._actor("pedestrian", path))
        return group

    def _crossing(self, start_s: float) -> list[Actor]:
        side = self._rng.choice([-1, 1])
        edge, end_z = 8.8 * side, self._rng.uniform(24, 45)
        end_s = start_s + 2 * abs(edge) / self._rng.uniform(1.3, 1.9)
        begin = (start_s, edge, end_z + self._speed * (end_s - start_s))
        gone_s = end_s + (end_z - _BEHIND) / self._speed
        knots = [begin, (end_s, -edge, end_z), (gone_s, -1.1 * edge, _BEHIND)]
        return [self._actor("pedestrian", [Path(knots, self._speed)])]

    def _sign(self, start_s: float) -> list[Actor]:
        x = _SIGNS * self._rng.choice([-1, 1], p=[0.3, 0.7])
        yaw = np.pi + self._rng.normal(0, 0.08)
        return [self._actor("traffic sign", self._past(start_s, x, 130, 0, yaw))]
