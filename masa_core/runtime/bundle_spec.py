"""The sections of bundle.yaml, but for the detector's (masa_core/detectors)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ImageSpec:
    """`image`: the graph from a frame to feature maps and detections, and what it is fed.

    Either `pixels` and `multiple` say how frames are resized, or `size`. A graph may have a second
    input, `size` (2,) float32: height and width of the frame within the input, px.
    """

    graph: str  # file name in the bundle
    input: str  # name of the graph's input, (1, 3, H, W) float32
    mean: tuple[float, ...]  # of each channel in 0..255, in the order of `channels`; subtracted
    std: tuple[float, ...]  # of each channel, divided by
    channels: str = "bgr"  # or "rgb": what the graph is fed
    pixels: int = 0  # frames are stretched to about this area, px
    multiple: int = 0  # height and width are multiples of this, px
    size: tuple[int, ...] = ()  # height, width: frames are fitted in, top left, their shape kept
    long_side: int = 0  # of the fitted frame at most, px; 0: as large as `size` allows
    short_side: int = 0

    def __post_init__(self) -> None:
        if self.size:
            if len(self.size) != 2 or min(self.size) < 1 or self.pixels or self.multiple:
                raise ValueError("'size' must be height and width, without 'pixels', 'multiple'")
        elif self.multiple < 1 or self.pixels < self.multiple**2:
            raise ValueError("'pixels' must be at least 'multiple' squared, and 'multiple' 1")
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError("'mean' and 'std' must be three numbers each, 'std' above 0")
        if self.channels not in ("bgr", "rgb"):
            raise ValueError(f"'channels' must be bgr or rgb, got {self.channels!r}")


@dataclass(frozen=True)
class EmbeddingSpec:
    """`embedding`: the graph from feature maps and boxes to `embeddings` (N, D) float32.

    Its inputs may be `boxes` (N, 4) float32, x1 y1 x2 y2 in pixels of the network input, and
    `crops` (N, 3, *crop) float32, the boxes cut out of the frame itself: BGR, 0..255. Every other
    input has the name of an output of the image graph (or of its input).
    """

    graph: str  # file name in the bundle
    crop: tuple[int, ...] = ()  # height and width of `crops`, px; leave out without them

    def __post_init__(self) -> None:
        if self.crop and (len(self.crop) != 2 or min(self.crop) < 1):
            raise ValueError(f"'crop' must be height and width, got {list(self.crop)}")


@dataclass(frozen=True)
class MasksSpec:
    """`masks`: the graph from feature maps and `boxes` to `masks` (N, h, w) float32.

    They are the probabilities of the object's pixels, stretched over its box; otherwise as the
    graph of the embedding, without crops.
    """

    graph: str


@dataclass(frozen=True)
class ProposalsSpec:
    """`proposals`: the graph from feature maps to objects of any kind, duplicates removed.

    Its outputs are `boxes` (M, 4) float32 in pixels of the network input and `scores` (M,) in
    0..1. It may have an input `size` as the image graph.
    """

    graph: str
