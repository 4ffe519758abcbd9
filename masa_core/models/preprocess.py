"""From a camera frame to the tensor that a network sees, and back to the frame's pixels."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

MEAN_RGB = (123.675, 116.28, 103.53)  # of ImageNet, in 0..255; all five models use it
STD_RGB = (58.395, 57.12, 57.375)


@dataclass(frozen=True)
class Geometry:
    """Where a frame lies in the network's input. All sizes in pixels.

    The frame (height, width) is resized to (resized_height, resized_width), which is the top left
    part of the padded input (padded_height, padded_width).
    """

    height: int
    width: int
    resized_height: int
    resized_width: int
    padded_height: int
    padded_width: int

    @property
    def scale(self) -> tuple[float, float]:
        """(x, y) factors from frame pixels to resized pixels; they differ by rounding."""
        return self.resized_width / self.width, self.resized_height / self.height

    def to_resized(self, boxes: Tensor) -> Tensor:
        """(N, 4) boxes in frame pixels, in resized pixels."""
        return boxes * boxes.new_tensor(self.scale * 2)

    def to_frame(self, boxes: Tensor) -> Tensor:
        """(N, 4) boxes in resized pixels, in frame pixels."""
        return boxes / boxes.new_tensor(self.scale * 2)


@dataclass(frozen=True)
class Preprocessing:
    """Resize to fit (keeping the ratio), normalise, pad right and bottom with zeros.

    long_side, short_side: the resized frame has no side above long_side and its shorter side is
    not above short_side. divisor: the padded sides are multiples of it.
    """

    long_side: int = 1024
    short_side: int = 1024
    divisor: int = 32

    def geometry(self, height: int, width: int) -> Geometry:
        """Sizes for a (height, width) frame. Raises ValueError for a frame without pixels."""
        if height < 1 or width < 1:
            raise ValueError(f"the frame is {width} x {height} px: it has no pixels")
        scale = min(
            self.long_side / max(height, width),
            self.short_side / min(height, width),
        )
        resized = [max(int(side * scale + 0.5), 1) for side in (height, width)]
        padded = [-(-side // self.divisor) * self.divisor for side in resized]
        return Geometry(height, width, resized[0], resized[1], padded[0], padded[1])

    def __call__(
        self,
        frame_bgr: NDArray[np.uint8],
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
    ) -> tuple[Tensor, Geometry]:
        """The (1, 3, padded_height, padded_width) input for a (H, W, 3) uint8 BGR frame.

        The resize works on floats, as the published live path does; resizing bytes would round
        to grey levels. The memory is channels-last, in which convolutions are quickest. Raises
        ValueError for an array of any other shape or type.
        """
        if frame_bgr.ndim != 3 or frame_bgr.shape[2] != 3 or frame_bgr.dtype != np.uint8:
            raise ValueError(
                "a frame is a (H, W, 3) uint8 BGR array, "
                f"got {frame_bgr.dtype} of shape {frame_bgr.shape}"
            )
        size = self.geometry(*frame_bgr.shape[:2])
        resized = cv2.resize(
            frame_bgr.astype(np.float32),
            (size.resized_width, size.resized_height),
            interpolation=cv2.INTER_LINEAR,
        )
        image = torch.from_numpy(resized).to(device).permute(2, 0, 1).flip(0)
        mean = image.new_tensor(MEAN_RGB).view(3, 1, 1)
        std = image.new_tensor(STD_RGB).view(3, 1, 1)
        padding = (
            0,
            size.padded_width - size.resized_width,
            0,
            size.padded_height - size.resized_height,
        )
        padded = functional.pad((image - mean) / std, padding)[None].to(dtype)
        return padded.contiguous(memory_format=torch.channels_last), size
