"""Motion of real objects: the places in KITTI's tracking labels as paths around our camera."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path as FilePath

import numpy as np

from masa_core.evaluation.drive.paths import Actor, Path
from masa_core.evaluation.drive.traffic import Looks
from masa_core.evaluation.errors import FormatError
from masa_core.evaluation.formats_kitti import read_kitti_labels

_HZ = 10.0  # of KITTI's camera
_KINDS = {
    "car": ("car",),
    "van": ("car",),
    "truck": ("truck",),
    "tram": ("bus",),
    "pedestrian": ("pedestrian",),
    "person": ("pedestrian",),
    "cyclist": ("bicycle", "rider"),
}
_X, _Z, _ROTATION = 13, 15, 16  # columns: metres from the camera, radians from facing right


def kitti_actors(
    file: FilePath, seconds: float, camera_m_s: float, look: Looks, rng: np.random.Generator
) -> list[Actor]:
    """One actor for each object of a label file, a cyclist being two.

    Where an object is not labelled for a while, it leaves and comes again. A drive that is longer
    than the labels begins them anew, with new individuals. Raises FileNotFoundError, FormatError.
    """
    rows = [row for row in read_kitti_labels(file) if row[2] in _KINDS]
    if not rows:
        raise FormatError(file, "has no object that moves: no car, truck, tram or person")
    tracks: dict[str, list[list[str]]] = defaultdict(list)
    for row in rows:
        tracks[row[1]].append(row)
    length_s = (max(int(row[0]) for row in rows) + 1) / _HZ
    actors = []
    for start_s in np.arange(0, seconds, length_s).tolist():
        for track in tracks.values():
            visits = _visits(track, start_s, camera_m_s)
            for kind in _KINDS[track[0][2]] if visits else ():
                first, second = rng.uniform(0, 2 * np.pi, 2).tolist()
                actors.append(Actor(look(kind, rng), visits, tone=(first, second)))
    return sorted(actors, key=lambda actor: actor.start_s)


def _visits(track: list[list[str]], start_s: float, camera_m_s: float) -> list[Path]:
    """Paths of the stretches without a gap."""
    frames = np.array([int(row[0]) for row in track])
    order = np.argsort(frames)
    stretches = np.split(order, np.flatnonzero(np.diff(frames[order]) > 1) + 1)
    visits = []
    for stretch in stretches:
        if len(stretch) < 2:
            continue
        # Every fifth label is enough, and its noise does not make the object turn and tremble.
        picked = stretch[sorted({*range(0, len(stretch), 5), len(stretch) - 1})]
        knots = [
            (start_s + frames[i] / _HZ, float(track[i][_X]), float(track[i][_Z])) for i in picked
        ]
        turns = np.array([float(track[i][_ROTATION]) for i in picked])
        visits.append(Path(knots, camera_m_s, np.arctan2(np.cos(turns), -np.sin(turns)).tolist()))
    return visits
