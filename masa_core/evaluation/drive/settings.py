"""What a drive is made from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from masa_core.evaluation.drive.background import Backdrop

DETECTIONS = ("perfect", "noisy")
_START_NS = 1_700_000_000_000_000_000
_EXACT = 1e-9  # what products of frequencies may be off
_SMALLEST_PX = 64


@dataclass(frozen=True)
class DriveSettings:
    """Settings of `write_drive`. Raises ValueError for one that makes no sense.

    size: width and height in pixels. truth_hz: labelled frames a second, at most camera_hz.
    detections: of `DETECTIONS`. raw: images as pixels in place of JPEG.

    background: the shipped clip, without its traffic, if None. shake: strength of the shaking
    that is added; 0 for none.

    cutouts: a folder of images with segments (SA-1B's format), whose objects appear in place of
    drawn ones. paths: a KITTI tracking label file, whose objects' motion replaces our traffic.
    """

    seed: int = 0
    seconds: float = 60.0
    size: tuple[int, int] = (1280, 720)
    camera_hz: float = 30.0
    truth_hz: float = 5.0
    detections: str = "perfect"
    raw: bool = False
    background: Backdrop | None = None
    shake: float = 1.0
    cutouts: Path | None = None
    paths: Path | None = None

    def __post_init__(self) -> None:
        for wrong, reason in (
            (self.seed < 0, f"seed {self.seed} is negative"),
            (not 0 < self.seconds < 1e6, f"{self.seconds} seconds are no drive"),
            (min(self.size) < _SMALLEST_PX, f"frames need {_SMALLEST_PX} pixels a side at least"),
            (not 0 < self.camera_hz <= 1000, f"a camera of {self.camera_hz} Hz is not possible"),
            (
                not 0 < self.truth_hz <= self.camera_hz,
                f"truth at {self.truth_hz} Hz does not fit a camera of {self.camera_hz} Hz",
            ),
            (self.detections not in DETECTIONS, f"detections are {' or '.join(DETECTIONS)}"),
            (not 0 <= self.shake <= 20, f"shake must be 0 to 20, not {self.shake}"),
        ):
            if wrong:
                raise ValueError(reason)

    @property
    def frames(self) -> int:
        return max(1, round(self.seconds * self.camera_hz))

    def stamp_ns(self, index: int) -> int:
        """Stamp of a frame. All drives begin at one time, lest the clock make them differ."""
        return _START_NS + round(index * 1e9 / self.camera_hz)

    def is_labelled(self, index: int) -> bool:
        """Whether the truth has a frame."""
        share = self.truth_hz / self.camera_hz
        return int(index * share + _EXACT) > int((index - 1) * share + _EXACT) or index == 0
