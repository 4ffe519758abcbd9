"""An image of the index with its segments."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from masa_core.io.image_files import read_image
from training.index import Index
from training.sa1b import Segments, read_segments

_MAX_SEGMENTS = 1 << 20  # of one image

Picture = tuple[NDArray[np.uint8], Segments]  # (H, W, 3) BGR, and what is in it


def read_sample(
    index: Index, number: int, masks: bool = True, sources: Sequence[str] = ()
) -> Picture:
    """Image `number`, (H, W, 3) uint8 BGR, and its segments, at least one.

    The segments' ids are not those of the file: id = number x 2^20 + row + 1. So they are the same
    each time and differ between all images, which ids in files of several origins do not.
    masks: see `read_segments`. sources: take segments of these alone; of all where there are none.

    Raises ValueError and OSError, with the file, for what cannot be used.
    """
    path = index.image_path(number)
    image = read_image(path)
    segments = read_segments(index.json_path(number), masks)
    if image.shape[:2] != (segments.height, segments.width):
        height, width = image.shape[:2]
        raise ValueError(
            f"{path} has {width}x{height} px, its segments are of an image of "
            f"{segments.width}x{segments.height} px"
        )
    if not 0 < len(segments) < _MAX_SEGMENTS:
        raise ValueError(f"{index.json_path(number)} has {len(segments)} segments that can be used")
    ids = number * _MAX_SEGMENTS + 1 + np.arange(len(segments), dtype=np.int64)
    segments = replace(segments, ids=ids)
    if sources:
        segments = segments[np.isin(segments.sources, sources)]
        if not len(segments):
            raise ValueError(f"{index.json_path(number)} has no segment of {', '.join(sources)}")
    return image, segments
