"""More pictures of what people drew: their segments cut out and laid on other images."""

from __future__ import annotations

from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from masa_core.masks import decode_mask, encode_mask, mask_boxes
from masa_core.structures import Mask
from training.embedding.cut_outs import recoloured
from training.sa1b import Segments
from training.samples import Picture

_DRAWN, _MIN_SIDE = 1.0, 24  # score of what people drew; px of a box that is cut out
_SIZES, _SHAPE = (0.12, 0.7), 0.15  # root of its area, of that of the image; log of its stretching
_MAX_ENLARGED = 1.5
_MIRRORED, _RECOLOURED = 0.5, 0.3  # shares
_SOFTNESS = (0.4, 1.0)  # px of its rim
_OUTSIDE = 1 / 3  # of its sides at most may be outside of the image
_MIN_LEFT = 0.5  # part of a segment; one of which less can be seen is left out


def drawn_by_people(segments: Segments) -> NDArray[np.int64]:
    """Rows that are large enough to be laid on another image."""
    sides = segments.boxes[:, 2:] - segments.boxes[:, :2]
    return np.flatnonzero((segments.scores >= _DRAWN) & (sides.min(axis=1) >= _MIN_SIDE))


def lay_on(picture: Picture, other: Picture, row: int, rng: np.random.RandomState) -> Picture:
    """The picture with segment `row` of another one on it, in another size and at a random place,
    at times mirrored or in other colours.

    What it covers is taken from the segments below. It is the last of the segments.
    """
    image, segments = picture
    height, width = image.shape[:2]
    pixels, share = _cut_out(other, row, height * width, rng)
    rows, columns = share.shape
    top = int(rng.uniform(-_OUTSIDE * rows, height - (1 - _OUTSIDE) * rows))
    left = int(rng.uniform(-_OUTSIDE * columns, width - (1 - _OUTSIDE) * columns))
    y, x = max(top, 0), max(left, 0)
    seen = slice(y - top, height - top), slice(x - left, width - left)
    pixels, share = pixels[seen], share[seen]
    covered = slice(y, y + share.shape[0]), slice(x, x + share.shape[1])
    mask = encode_mask(share > 0.5, x, y)
    if not mask.width:
        return picture
    image, part = image.copy(), share[..., None]
    image[covered] = (image[covered] * (1 - part) + pixels * part).round().astype(np.uint8)
    return image, _with(segments, mask)


def _cut_out(
    picture: Picture, row: int, area: int, rng: np.random.RandomState
) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Pixels (h, w, 3), and the share of each that is the segment's, (h, w); area: of the image
    that it is for, px."""
    image, segments = picture
    mask = segments.masks[row]
    pixels = image[mask.y : mask.y + mask.height, mask.x : mask.x + mask.width]
    share = decode_mask(mask).astype(np.float32)
    wanted = np.exp(rng.uniform(*np.log(_SIZES))) * (area / share.size) ** 0.5
    scale = min(wanted, _MAX_ENLARGED)
    stretch = np.exp(rng.uniform(-_SHAPE, _SHAPE))
    size = (
        max(int(mask.width * scale * stretch), 4),
        max(int(mask.height * scale / stretch), 4),
    )
    how = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    pixels, share = (cv2.resize(values, size, interpolation=how) for values in (pixels, share))
    share = cv2.GaussianBlur(share, (0, 0), rng.uniform(*_SOFTNESS))
    if rng.rand() < _MIRRORED:
        pixels, share = pixels[:, ::-1], share[:, ::-1]
    if rng.rand() < _RECOLOURED:
        pixels = recoloured(np.ascontiguousarray(pixels), rng)
    return pixels, share


def _with(segments: Segments, mask: Mask) -> Segments:
    """The segments below a mask, as far as they can be seen, and the mask."""
    below = [_uncovered(other, mask) for other in segments.masks]
    kept = [row for row, other in enumerate(below) if other is not None]
    masks = [*(below[row] for row in kept), mask]
    return replace(
        segments,
        boxes=mask_boxes(masks),
        ids=np.append(segments.ids[kept], segments.ids.max(initial=0) + 1),
        masks=masks,
        scores=np.append(segments.scores[kept], np.float32(_DRAWN)),
        sources=[*(segments.sources[row] for row in kept), "laid on"],
    )


def _uncovered(mask: Mask, top: Mask) -> Mask | None:
    """What can be seen of a mask below another one; None where that is too little."""
    x1, y1 = max(mask.x, top.x), max(mask.y, top.y)
    x2 = min(mask.x + mask.width, top.x + top.width)
    y2 = min(mask.y + mask.height, top.y + top.height)
    if x1 >= x2 or y1 >= y2:
        return mask
    seen = decode_mask(mask)
    area = seen.sum()
    over = decode_mask(top)[y1 - top.y : y2 - top.y, x1 - top.x : x2 - top.x]
    seen[y1 - mask.y : y2 - mask.y, x1 - mask.x : x2 - mask.x] &= ~over
    return encode_mask(seen, mask.x, mask.y) if seen.sum() >= _MIN_LEFT * area else None
