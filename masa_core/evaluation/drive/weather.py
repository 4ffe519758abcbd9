"""What changes from frame to frame for the whole picture: light, and the shaking of the camera."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_DIP_EVERY_S = 18.0  # bridges and tunnels
_BUMP_EVERY_S = 5.0


class Light:
    """Gain, gamma and colour of the light during a drive."""

    def __init__(self, seconds: float, rng: np.random.Generator) -> None:
        self._phases = rng.uniform(0, 2 * np.pi, 6)
        times, depths, lengths = [], [], []
        time_s = rng.uniform(0.3, 0.8) * _DIP_EVERY_S
        while time_s < seconds:
            times.append(time_s)
            tunnel = rng.random() < 0.5
            depths.append(rng.uniform(0.6, 0.72) if tunnel else rng.uniform(0.3, 0.45))
            lengths.append(rng.uniform(1.5, 3) if tunnel else rng.uniform(0.3, 0.6))
            time_s += _DIP_EVERY_S * rng.uniform(0.6, 1.4)
        self._dips = np.array([times, depths, lengths])

    def darkness(self, time_s: float) -> float:
        """Share of the light that a bridge or tunnel takes at a time."""
        times, depths, lengths = self._dips
        inside = (lengths / 2 - np.abs(time_s - times)) / 0.25 + 0.5  # edges of a quarter second
        return float((depths * np.clip(inside, 0, 1)).max(initial=0))

    def table(self, time_s: float) -> NDArray[np.uint8]:
        """(256, 1, 3) what each value of blue, green and red becomes."""
        a, b, c, d, e, f = self._phases
        dark = self.darkness(time_s)
        gain = 1 + 0.14 * np.sin(0.21 * time_s + a) + 0.06 * np.sin(0.83 * time_s + b)
        gamma = 1 + 0.12 * np.sin(0.13 * time_s + c) + 0.25 * dark
        warm = 0.05 * np.sin(0.17 * time_s + d) + 0.02 * np.sin(0.6 * time_s + e) + 0.09 * dark
        green = 0.02 * np.sin(0.11 * time_s + f)
        cast = np.array((1 - warm, 1 + green, 1 + warm))
        values = np.linspace(0, 1, 256)[:, None, None] ** gamma * cast * gain * (1 - dark)
        return np.clip(values * 255 + 0.5, 0, 255).astype(np.uint8)


class Shaking:
    """Vibration and bumps of the road, in thousandths of the frame's width."""

    def __init__(self, seconds: float, strength: float, rng: np.random.Generator) -> None:
        self._strength = strength
        self._phases = rng.uniform(0, 2 * np.pi, 7)
        count = max(1, round(seconds / _BUMP_EVERY_S))
        self._bumps = np.sort(rng.uniform(0, seconds, count))
        self._heights = rng.normal(0, 2.6, count)

    def at(self, time_s: float) -> tuple[float, float, float]:
        """dx and dy in shares of the width, roll in radians."""
        p = self._phases
        dx = 0.35 * np.sin(6.9 * time_s + p[0]) + 0.2 * np.sin(17 * time_s + p[1])
        dy = 0.5 * np.sin(8.7 * time_s + p[2]) + 0.3 * np.sin(21 * time_s + p[3])
        since = time_s - self._bumps
        swing = np.exp(-np.maximum(since, 0) / 0.3) * np.sin(24 * since) * (since > 0)
        dy += float((self._heights * swing).sum())
        roll = 0.0010 * np.sin(4.1 * time_s + p[4]) + 0.0006 * np.sin(11 * time_s + p[5])
        scale = self._strength
        return scale * dx / 1000, scale * dy / 1000, scale * roll
