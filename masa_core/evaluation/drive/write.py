"""`write_drive`: from settings to a drive on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from masa_core.evaluation.drive.cutouts import cutout_looks
from masa_core.evaluation.drive.detector import NoisyDetector, PerfectDetector
from masa_core.evaluation.drive.kitti_paths import kitti_actors
from masa_core.evaluation.drive.labels import Label, labels_of
from masa_core.evaluation.drive.looks import drawn_look
from masa_core.evaluation.drive.paths import Actor
from masa_core.evaluation.drive.recording import Recording
from masa_core.evaluation.drive.scene import Image, compose, streak
from masa_core.evaluation.drive.settings import DriveSettings
from masa_core.evaluation.drive.shipped_clip import shipped_backdrop
from masa_core.evaluation.drive.tally import Tally
from masa_core.evaluation.drive.traffic import Traffic
from masa_core.evaluation.drive.view import View
from masa_core.evaluation.drive.weather import Light, Shaking

_EXPOSURE_S, _EXPOSURE_DARK_S = 0.008, 0.022  # in daylight, and what darkness adds
_BLUR_FROM_PX = 1.0
_ACTORS, _WEATHER, _DETECTOR = range(3)  # streams of chance: each stays what it is without others


class DriveFrame(NamedTuple):
    """image: (H, W, 3) uint8 BGR. labels: all objects that are visible in it."""

    image: Image
    labels: list[Label]
    time_s: float
    stamp_ns: int


def write_drive(
    path: Path, settings: DriveSettings, on_frame: Callable[[], None] = lambda: None
) -> dict[str, Any]:
    """Writes a drive to a new folder: a rosbag2 with truth.json (Scalabel) and drive.yaml in it.

    on_frame: called after each frame; what it raises ends the work. The folder appears when it is
    whole; whatever goes wrong before leaves nothing. Returns the content of drive.yaml.

    Raises FileExistsError where there is something at `path`, OSError, and what `drive_frames`
    raises.
    """
    recording = Recording(path, 1e9 / settings.camera_hz, settings.raw)
    rng = np.random.default_rng([settings.seed, _DETECTOR])
    detector: PerfectDetector | NoisyDetector = PerfectDetector(rng)
    if settings.detections == "noisy":
        detector = NoisyDetector(settings.size, 1 / settings.camera_hz, rng)
    tally = Tally()
    try:
        for index, frame in enumerate(drive_frames(settings)):
            recording.image(frame.image, frame.stamp_ns)
            recording.detections(detector.find(frame.labels), frame.stamp_ns)
            if settings.is_labelled(index):
                recording.truth(frame.labels, index, frame.stamp_ns, settings.size)
                tally.labels(frame.labels, frame.time_s)
            tally.frame()
            on_frame()
        about = {"settings": _plain(settings), "holds": tally.figures()}
        recording.close(about)
    except BaseException:
        recording.discard()
        raise
    return about


def drive_frames(settings: DriveSettings) -> Iterator[DriveFrame]:
    """The frames of a drive, the same for the same settings.

    Raises SourceError and FormatError where background, cut-outs or paths cannot be read.
    """
    backdrop = settings.background or shipped_backdrop()
    width, height = settings.size
    actors = _actors(settings, backdrop.speed_m_s)
    rng = np.random.default_rng([settings.seed, _WEATHER])
    light = Light(settings.seconds, rng)
    shaking = Shaking(settings.seconds, settings.shake, rng)
    backgrounds = backdrop.frames(settings.size, settings.camera_hz)
    for index in range(settings.frames):
        time_s = index / settings.camera_hz
        exposure_s = _EXPOSURE_S + _EXPOSURE_DARK_S * light.darkness(time_s)
        dx, dy, roll = shaking.at(time_s)
        view = View(width, height, backdrop.vanishing_point, (dx * width, dy * width), roll)
        moved_px = width * np.subtract(shaking.at(time_s + exposure_s)[:2], (dx, dy))
        background = _shaken(next(backgrounds), view)
        placements = [(actor, *place) for actor in actors if (place := actor.at(time_s))]
        picture, shown = compose(background, placements, view, time_s, exposure_s)
        picture = _exposed(picture, moved_px, light.table(time_s))
        labels = labels_of(shown, width * height)
        yield DriveFrame(picture, labels, time_s, settings.stamp_ns(index))


def _shaken(background: Image, view: View) -> Image:
    size, edge = (view.width, view.height), cv2.BORDER_REFLECT_101
    return np.asarray(cv2.warpAffine(background, view.affine, size, borderMode=edge), np.uint8)


def _exposed(picture: Image, moved_px: NDArray[np.float64], light: NDArray[np.uint8]) -> Image:
    """The picture, smeared as the camera moved, in the light of the moment."""
    if np.hypot(*moved_px) >= _BLUR_FROM_PX:
        picture = np.asarray(cv2.filter2D(picture, -1, streak(*moved_px.tolist())), np.uint8)
    return np.asarray(cv2.LUT(picture, light), np.uint8)


def _actors(settings: DriveSettings, camera_m_s: float) -> list[Actor]:
    rng = np.random.default_rng([settings.seed, _ACTORS])
    look = cutout_looks(settings.cutouts, rng) if settings.cutouts else drawn_look
    if settings.paths:
        actors = kitti_actors(settings.paths, settings.seconds, camera_m_s, look, rng)
    else:
        actors = Traffic(settings.seconds, camera_m_s, look, rng).actors()
    for number, actor in enumerate(actors, 1):
        actor.id = number
    return actors


def _plain(settings: DriveSettings) -> dict[str, Any]:
    """The settings as YAML can hold them."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(item) for key, item in value.items() if not callable(item)}
        if isinstance(value, tuple):
            return list(value)
        return value.name if isinstance(value, Path) else value

    return {key: plain(value) for key, value in asdict(settings).items()}
