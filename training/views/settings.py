"""What is done to a view, and how strongly."""

from __future__ import annotations

from dataclasses import dataclass

Range = tuple[float, float]


@dataclass(frozen=True)
class ViewSettings:
    """The published recipe; a smaller model needs only a smaller ``size``.

    size: side of the square view, px. A transform that is switched off draws no random numbers.
    The last five are probabilities; the paper leaves these out of its default (appendix E).
    """

    size: int = 1024

    affine: bool = True
    rotation_deg: float = 10.0
    affine_scale: Range = (0.5, 1.5)
    shear_deg: float = 2.0
    shift: float = 0.1  # of the image's width and height

    mixup: bool = True
    mixup_scale: Range = (0.8, 1.6)

    hsv: bool = True
    hsv_gains: tuple[float, float, float] = (5.0, 30.0, 30.0)  # hue of 180, saturation, value

    jitter: bool = True  # large-scale jittering; without it, the image is fitted into the view
    jitter_scale: Range = (0.1, 2.0)  # of the scale at which the image just fits
    crop: bool = True  # without it, jittering does not enlarge beyond the view
    flip: bool = True

    motion_blur: float = 0.0
    noise: float = 0.0
    snow: float = 0.0
    fog: float = 0.0
    brightness: float = 0.0

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"'size' must be 1 or more, got {self.size}")
        for name in ("affine_scale", "mixup_scale", "jitter_scale"):
            low, high = getattr(self, name)
            if not 0 < low <= high:
                raise ValueError(
                    f"{name!r} must be the least and the largest scale, above 0, got {[low, high]}"
                )
        for name in ("motion_blur", "noise", "snow", "fog", "brightness"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name!r} is a probability, 0 to 1, got {getattr(self, name)}")
