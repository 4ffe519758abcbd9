"""Background frames with real camera motion: a video, played at any speed, without an end."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from masa_core.io import SourceError, open_source

Image = NDArray[np.uint8]

_DISSOLVE = 24  # frames of the video over which its end becomes its beginning
_FLOW_WIDTH_PX = 480  # optical flow between two frames is found at this width


class Background:
    """Frames of a size, `rate` of which make one second of the camera.

    path: a video, folder or bag. prepare: changes the frames as they are read. speed: 1 plays the
    video as fast as it was taken. Between two frames of the video, pixels are moved along the
    optical flow, so that slow play is smooth. At the end the video dissolves into its beginning.

    Raises SourceError where the video cannot be read or has less than two frames.
    """

    def __init__(
        self,
        path: Path,
        size: tuple[int, int],
        rate: float,
        speed: float,
        prepare: Callable[[Iterator[Image]], Iterator[Image]] = iter,
    ) -> None:
        self._path = path
        self._size = size
        self._prepare = prepare
        self._frames = self._looped()
        self._before, self._after = next(self._frames), next(self._frames)
        self._flow = _flow(self._before, self._after)
        with open_source(path) as source:
            self._step = speed * source.fps / rate
        self._position = 0.0  # between the two frames

    def __iter__(self) -> Iterator[Image]:
        while True:
            yield _between(self._before, self._after, self._flow, self._position)
            self._position += self._step
            if self._position >= 1:
                while self._position >= 1:
                    self._before, self._after = self._after, next(self._frames)
                    self._position -= 1
                self._flow = _flow(self._before, self._after)

    def _looped(self) -> Iterator[Image]:
        ending: deque[Image] = deque()
        while True:
            count = 0
            for count, frame in enumerate(self._once(), 1):
                if count <= len(ending):
                    share = count / (len(ending) + 1)
                    frame = cv2.addWeighted(frame, share, ending[count - 1], 1 - share, 0)

                yield frame
            if count < 2:
                raise SourceError(f"{self._path} has less than two frames that can be read")

    def _once(self) -> Iterator[Image]:
        with open_source(self._path) as source:
            for image in self._prepare(frame.image for frame in source):
                yield fit(image, self._size)
