"""A video of the frames with the tracks drawn on them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import cv2

from masa_core.io.atomic import part_path
from masa_core.io.source import SourceFrame
from masa_core.overlay import draw_tracks
from masa_core.structures import Tracks

# OpenCV's wheels cannot make H.264. MPEG-4 Part 2 is fast and plays in every player, but in no
# browser; VP8 plays in browsers, and takes about 20 times as long to write.
CODECS = {".mp4": "mp4v", ".webm": "VP80"}


class OverlayWriter:
    """Writes .mp4 (for players) or .webm (for browsers too), at a constant frame rate.

    The first frame sets the size; frames of another size are scaled to it.
    Raises ValueError for another suffix, and OSError where no video can be written.
    """

    def __init__(self, path: Path, fps: float, classes: Sequence[str]) -> None:
        self._codec = CODECS.get(path.suffix.lower(), "")
        if not self._codec:
            raise ValueError(f"{path}: an overlay is a file ending in {' or '.join(CODECS)}")
        self.path = path
        self._part = part_path(path)
        self._fps = fps
        self._classes = classes
        self._video: cv2.VideoWriter | None = None
        self._size = (0, 0)  # width, height
        self._frames = 0

    def write(self, frame: SourceFrame, tracks: Tracks) -> None:
        self._frames += 1
        picture = draw_tracks(frame.image, tracks, self._classes)
        if self._video is None:
            self._video = self._start(picture.shape[1], picture.shape[0])
        elif (picture.shape[1], picture.shape[0]) != self._size:
            self._video.write(cv2.resize(picture, self._size, interpolation=cv2.INTER_AREA))
            return
        self._video.write(picture)

    def _start(self, width: int, height: int) -> cv2.VideoWriter:
        video = cv2.VideoWriter(
            str(self._part.absolute()),  # absolute for the reason given in VideoSource
            cv2.CAP_FFMPEG,
            cv2.VideoWriter.fourcc(*self._codec),
            round(self._fps, 2),  # MPEG-4 takes no finer ones
            (width, height),
        )
        if not video.isOpened():
            raise OSError(f"{self.path}: this OpenCV cannot write {self._codec} video there")
        self._size = (width, height)
        return video

    def close(self) -> None:
        if self._video is None:
            return
        try:
            self._video.release()
            if not self._is_whole():
                raise OSError(f"{self.path} could not be written to its end: is the disk full?")
            os.replace(self._part, self.path)
        finally:
            self._part.unlink(missing_ok=True)

    def _is_whole(self) -> bool:
        """Whether the last frame can be read: OpenCV does not tell when nothing can be written."""
        video = cv2.VideoCapture(str(self._part.absolute()), cv2.CAP_FFMPEG)
        video.set(cv2.CAP_PROP_POS_FRAMES, self._frames - 1)
        return video.read()[0]

    def discard(self) -> None:
        if self._video is not None:
            self._video.release()
        self._part.unlink(missing_ok=True)
