"""Where a track will be: a constant-velocity Kalman filter for the centres of all tracks at once,
and what a box found there is worth as evidence.

Distances are in units of an object's own size, so that one set of constants serves near and far
objects; time is in seconds, so that frames may come at any rate. Both axes share one covariance
[position, position-velocity, velocity] (the noise is the same in x and y).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

POSITION_NOISE = 0.06  # jitter of a detected centre, in object sizes
START_SPEED = 1.0  # how fast an object may move when it is first seen, object sizes a second
SPEED_CHANGE = 0.7  # how much its speed changes within a second, object sizes a second
MAX_SPEED_STD = 2.0  # however long it was not seen, object sizes a second
SHAPE_NOISE = 0.1  # jitter of the log of a detected width or height
SHAPE_CHANGE = 0.2  # how much they change within a second
SHAPE_SPREAD = 0.4  # how much they differ from object to object
MODEL_FAILS = 0.05  # share of matches that the model does not foresee
MODEL_LASTS_S = 1.5  # how long it can be trusted without a new measurement
MAX_EXTRAPOLATION_S = 2.0  # an unseen object is not carried on by its old velocity for longer


def start(sizes: Floats) -> Floats:
    """(N, 3) covariances of objects that were seen once. sizes: (N,) px."""
    zero = np.zeros(len(sizes))
    return np.stack([(POSITION_NOISE * sizes) ** 2, zero, (START_SPEED * sizes) ** 2], axis=1)


def extrapolate(centres: Floats, velocities: Floats, elapsed_s: Floats) -> Floats:
    """(M, 2) centres after (M,) seconds."""
    return centres + velocities * np.minimum(elapsed_s, MAX_EXTRAPOLATION_S)[:, None]


def grow(covariances: Floats, sizes: Floats, elapsed_s: Floats) -> Floats:
    """(M, 3) covariances after (M,) seconds without a measurement."""
    position, both, speed = covariances.T
    noise = (SPEED_CHANGE * sizes) ** 2
    return np.stack(
        [
            position + 2 * elapsed_s * both + elapsed_s**2 * speed + noise * elapsed_s**3 / 3,
            both + elapsed_s * speed + noise * elapsed_s**2 / 2,
            np.minimum(speed + noise * elapsed_s, (MAX_SPEED_STD * sizes) ** 2),
        ],
        axis=1,
    )


def correct(
    centres: Floats, velocities: Floats, covariances: Floats, measured: Floats, sizes: Floats
) -> tuple[Floats, Floats, Floats]:
    """Predicted (N, 2) centres, (N, 2) velocities and (N, 3) covariances, after a measurement."""
    position, both, speed = covariances.T
    total = position + (POSITION_NOISE * sizes) ** 2
    to_position, to_speed = position / total, both / total
    error = measured - centres
    left = np.stack(
        [
            position * (1 - to_position),
            both * (1 - to_position),
            np.maximum(speed - to_speed * both, 1e-6),
        ],
        axis=1,
    )
    return centres + to_position[:, None] * error, velocities + to_speed[:, None] * error, left


def log_odds(
    measured: tuple[Floats, Floats],
    expected: tuple[Floats, Floats],
    position_variances: Floats,
    sizes: Floats,
    elapsed_s: Floats,
    frame_area: float,
) -> Floats:
    """(N, M) log odds that N boxes are where M tracks are expected, against anywhere in the frame.

    measured, expected: centres (N, 2), (M, 2) in px, and logs of width and height, alike.
    position_variances (M,) px^2 and sizes (M,) px of the tracks, unseen for elapsed_s (M,).
    frame_area: px^2.
    """
    place = position_variances + (POSITION_NOISE * sizes) ** 2
    shape = 2 * SHAPE_NOISE**2 + SHAPE_CHANGE**2 * elapsed_s
    certainty = np.log(frame_area / (2 * np.pi * place)) + np.log(SHAPE_SPREAD**2 / shape)
    odds = _weighted_squares(measured[0], expected[0], -0.5 / place)
    odds += _weighted_squares(measured[1], expected[1], -0.5 / shape)
    odds += certainty
    # The model fails now and then (a turn, a shaking camera), so that motion alone never rules
    # out what looks clearly the same.
    fails = 1 - (1 - MODEL_FAILS) * np.exp(-elapsed_s / MODEL_LASTS_S)
    return np.maximum(odds, np.log(fails), out=odds)


def _weighted_squares(a: Floats, b: Floats, weights: Floats) -> Floats:
    """(N, M) sum_k (a_ik - b_jk)^2 w_j, as one matrix product."""
    offset = b.mean(axis=0)  # keeps the squares small, and with them the rounding
    a, b = a - offset, b - offset
    left = np.concatenate([a, (a**2).sum(1, keepdims=True), np.ones((len(a), 1))], axis=1)
    right = np.concatenate([-2 * b, np.ones((len(b), 1)), (b**2).sum(1, keepdims=True)], axis=1)
    return np.asarray(left @ (right * weights[:, None]).T)
