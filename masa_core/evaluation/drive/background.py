"""Background frames with real camera motion: a video, played at any speed, without an end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from masa_core.io import SourceError, open_source

Image = NDArray[np.uint8]

_DISSOLVE = 24  # frames of the video in which its end becomes its beginning
_FLOW_WIDTH_PX = 480  # at which the optical flow between two frames is found
_SLOWEST_M_S, _FASTEST_M_S = 3.0, 100.0  # people who walk at the roadside must fall behind


@dataclass(frozen=True)
class Backdrop:
    """A video, folder or bag that was taken from a moving car.

    playback: 1 plays it as fast as it was taken. camera_m_s: how fast the car drove.
    vanishing_point: where its road meets the horizon, in shares of the frame's size. prepare:
    changes its frames as they are read.

    Raises ValueError for a number that makes no sense.
    """

    path: Path
    playback: float = 1.0
    camera_m_s: float = 12.0
    vanishing_point: tuple[float, float] = (0.5, 0.5)
    prepare: Callable[[Iterator[Image]], Iterator[Image]] = iter

    def __post_init__(self) -> None:
        if not 0 < self.playback <= 100:
            raise ValueError(f"a playback speed of {self.playback} is not possible")
        if not _SLOWEST_M_S <= self.speed_m_s <= _FASTEST_M_S:
            raise ValueError(
                f"the camera would move at {self.speed_m_s:g} m/s: "
                f"it must be {_SLOWEST_M_S:g} to {_FASTEST_M_S:g}"
            )
        x, y = self.vanishing_point
        if not (0 < x < 1 and 0 < y < 1):
            raise ValueError(f"the vanishing point {x:g},{y:g} is not inside of the frame")

    @property
    def speed_m_s(self) -> float:
        """How fast the car drives as the video is played."""
        return self.playback * self.camera_m_s

    def frames(self, size: tuple[int, int], camera_hz: float) -> Iterator[Image]:
        """Frames (h, w, 3) of a size (w, h), `camera_hz` a second, without an end.

        Between two frames of the video, pixels are moved along the optical flow, so that slow play
        is smooth too. The end of the video dissolves into its beginning.

        Raises SourceError where nothing can be read.
        """
        with open_source(self.path) as source:
            step = self.playback * source.fps / camera_hz
        frames = _looped(lambda: self._once(size), self.path)
        before, after = next(frames), next(frames)
        flow, position = None, 0.0
        while True:
            if flow is None and position > 0:
                flow = _flow(before, after)
            yield before if flow is None else _between(before, after, flow, position)
            position += step
            if position >= 1:
                flow = None
            while position >= 1:
                before, after = after, next(frames)
                position -= 1

    def _once(self, size: tuple[int, int]) -> Iterator[Image]:
        with open_source(self.path) as source:
            for image in self.prepare(frame.image for frame in source):
                yield _fit(image, size, self.vanishing_point)


def _looped(once: Callable[[], Iterator[Image]], path: Path) -> Iterator[Image]:
    ending: list[Image] = []
    while True:
        held: deque[Image] = deque()  # what might turn out to be the ending
        count = 0
        for count, frame in enumerate(once(), 1):
            if count <= len(ending):
                share = count / (len(ending) + 1)
                frame = _mixed(ending[count - 1], frame, share)
            held.append(frame)
            if len(held) > _DISSOLVE:
                yield held.popleft()
        if count == 0:
            raise SourceError(f"{path} has no frame that can be read")
        while len(held) > count // 2:
            yield held.popleft()
        ending = list(held)


def _fit(image: Image, size: tuple[int, int], anchor: tuple[float, float]) -> Image:
    """The largest part of the aspect of a size, scaled to it. The anchor stays where it is, in
    shares of the frame."""
    height, width = image.shape[:2]
    scale = max(size[0] / width, size[1] / height)
    part_width, part_height = round(size[0] / scale), round(size[1] / scale)
    left = round((width - part_width) * anchor[0])
    top = round((height - part_height) * anchor[1])
    part = image[top : top + part_height, left : left + part_width]
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, size, interpolation=method), np.uint8)


def _flow(before: Image, after: Image) -> NDArray[np.float32]:
    """(h, w, 2) motion in pixels of the frame, at a smaller size than the frame."""
    scale = min(1.0, _FLOW_WIDTH_PX / before.shape[1])
    small = [
        cv2.resize(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), None, fx=scale, fy=scale)
        for image in (before, after)
    ]
    finder = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    return np.asarray(
        finder.calc(small[0], small[1], np.zeros((*small[0].shape, 2), np.float32)) / scale,
        np.float32,
    )


def _between(before: Image, after: Image, flow: NDArray[np.float32], share: float) -> Image:
    height, width = before.shape[:2]
    full = cv2.resize(flow, (width, height))
    rows, columns = np.indices((height, width), np.float32)

    def moved(image: Image, factor: float) -> Image:
        x, y = columns + factor * full[..., 0], rows + factor * full[..., 1]
        edge = cv2.BORDER_REPLICATE
        return np.asarray(cv2.remap(image, x, y, cv2.INTER_LINEAR, borderMode=edge), np.uint8)

    return _mixed(moved(before, -share), moved(after, 1 - share), share)


def _mixed(first: Image, second: Image, share: float) -> Image:
    return np.asarray(cv2.addWeighted(first, 1 - share, second, share, 0), np.uint8)
