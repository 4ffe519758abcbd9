"""A video file as a source."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

from masa_core.io.folder import DEFAULT_FPS, IMAGE_SUFFIXES
from masa_core.io.source import Source, SourceError, SourceFrame

# A file that ends this many frames early was cut off; containers miscount by one or two.
_MISCOUNT = 2
# Containers that count their frames. Of others, OpenCV takes duration times frame rate, which says
# nothing where the rate changes.
_COUNTING = frozenset((".avi", ".m4v", ".mov", ".mp4"))


class VideoSource(Source):
    """Frames of a video file, stamped with their presentation times from the start of the file.

    A damaged file is read up to the damage: frames that the container promises and that do not
    come are counted as unreadable.
    """

    kind = "video"

    def __init__(self, path: Path) -> None:
        super().__init__()
        if path.suffix.lower() in IMAGE_SUFFIXES:
            raise SourceError(f"{path} is a single image: give the folder that holds the images")
        # Absolute, or FFmpeg takes "a:b.mp4" for an address; FFmpeg only, or OpenCV takes
        # "a%02d.mp4" for a pattern.
        self._capture = cv2.VideoCapture(str(path.resolve()), cv2.CAP_FFMPEG)
        if not self._capture.isOpened():
            raise SourceError(f"{path} is no video that OpenCV can read (damaged, or not a video)")
        self.name = path.stem
        self._counts = path.suffix.lower() in _COUNTING
        frames = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.length = frames if frames > 0 else None
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        self.fps = fps if 0 < fps <= 1000 else DEFAULT_FPS

    def close(self) -> None:
        self._capture.release()

    def __iter__(self) -> Iterator[SourceFrame]:
        index, stamp_ns, longest_ns = 0, -1, 0
        while True:
            read, image = self._capture.read()
            if not read or image is None:
                break
            before_ns, stamp_ns = stamp_ns, self._stamp_ns(index, stamp_ns)
            longest_ns = max(longest_ns, stamp_ns - before_ns)
            yield SourceFrame(np.asarray(image, np.uint8), stamp_ns, f"{index:06d}", index)
            index += 1
        end = index if self._counts else (stamp_ns + longest_ns) * self.fps / 1e9
        if (self.length or 0) - max(index, end) > _MISCOUNT:
            self.count_missing(index)

    def _stamp_ns(self, index: int, previous_ns: int) -> int:
        """The container's time of the frame just read; made up where it does not go forward."""
        stamp_ns = round(self._capture.get(cv2.CAP_PROP_POS_MSEC) * 1e6)
        if stamp_ns > previous_ns:
            return stamp_ns
        return 0 if index == 0 else previous_ns + round(1e9 / self.fps)
