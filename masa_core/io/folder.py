"""A folder of images as a source."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from masa_core.io.image_files import read_image
from masa_core.io.source import Source, SourceError, SourceFrame

IMAGE_SUFFIXES = frozenset(
    (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", ".webp", ".ppm", ".pgm")
)
DEFAULT_FPS = 30.0
MIN_FPS, MAX_FPS = 1e-5, 1e6  # from an image a day to one each microsecond


def natural_key(name: str) -> list[tuple[int, int | str]]:
    """Sorts "frame2" before "frame10"."""
    parts = re.split(r"([0-9]+)", name)  # every second one is a number
    return [(0, int(part)) if i % 2 else (1, part.lower()) for i, part in enumerate(parts)]


class FolderSource(Source):
    """Images of one folder in natural order of their names; hidden files are left out."""

    kind = "folder"

    def __init__(self, path: Path, fps: float | None = None) -> None:
        super().__init__()
        self._files = sorted(
            (file for file in path.iterdir() if _is_image(file)),
            key=lambda file: (natural_key(file.name), file.name),
        )
        if not self._files:
            raise SourceError(f"{path} is neither a bag nor a folder with images in it")
        self.name = path.resolve().name
        self.length = len(self._files)
        self.fps = DEFAULT_FPS if fps is None else fps
        if not MIN_FPS <= self.fps <= MAX_FPS:
            raise SourceError(f"a frame rate of {self.fps} is not in {MIN_FPS}..{MAX_FPS}")

    def __iter__(self) -> Iterator[SourceFrame]:
        for index, file in enumerate(self._files):
            stamp_ns = round(index * 1e9 / self.fps)
            try:
                image = read_image(file)
            except (OSError, ValueError) as error:
                self.count_unreadable("file", str(error))
                continue
            yield SourceFrame(image, stamp_ns, file.name, index)


def _is_image(file: Path) -> bool:
    return file.suffix.lower() in IMAGE_SUFFIXES and not file.name.startswith(".")
