"""Pictures of pairs of views, so that people see what a network is to match."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from masa_core.masks import decode_mask
from training.views.geometric import shifted
from training.views.view import View

Image = NDArray[np.uint8]
_CAPTION_PX = 24
_GAP_PX = 4
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_MIN_SEEN = 4e-4  # of the view: smaller ones are not to be seen in a picture
_MAX_SEEN = 0.5  # larger ones hide the others
_MAX_OVERLAP = 0.2  # of an instance with those that are shown already


def draw_pair(
    key: View, reference: View, title: str, rng: np.random.RandomState, instances: int = 12
) -> Image:
    """Key and reference view side by side, a line of text above.

    Up to `instances` that are in both views have a colour and a number, the same in both. Which
    ones is chance, but none that hides another, is hardly to be seen, or covers half of a view.
    """
    shared = np.intersect1d(key.ids, reference.ids)
    shown: list[int] = []
    taken = np.zeros(key.image.shape[:2], np.uint8)
    for number in rng.permutation(shared).tolist():
        where = _where(key, _row(key, number))
        in_reference = _where(reference, _row(reference, number))
        fits = all(_MIN_SEEN < area.mean() < _MAX_SEEN for area in (where, in_reference))
        if fits and (where & taken).sum() < _MAX_OVERLAP * where.sum():
            taken |= where
            shown.append(number)
        if len(shown) == instances:
            break
    colours = _colours(len(shown))
    views = [_draw(view, shown, colours) for view in (key, reference)]
    text = (
        f"{title}: {len(key)} and {len(reference)} instances, {len(shared)} in both, "
        f"{len(shown)} shown"
    )
    row = _side_by_side(views)
    return np.concatenate((_caption(text, row.shape[1]), row))


def sheet(pictures: list[Image], columns: int) -> Image:
    """Pictures of one size in rows of `columns`."""
    empty = np.full_like(pictures[0], 255)
    rows = []
    for start in range(0, len(pictures), columns):
        row = pictures[start : start + columns]
        rows.append(_side_by_side(row + [empty] * (min(columns, len(pictures)) - len(row))))
        rows.append(np.full((_GAP_PX, rows[0].shape[1], 3), 255, np.uint8))
    return np.concatenate(rows[:-1])


def _row(view: View, number: int) -> int:
    return int(np.flatnonzero(view.ids == number)[0])


def _where(view: View, row: int) -> Image:
    """(H, W) uint8: 1 where an instance is in the view, as far as its box goes."""
    height, width = view.image.shape[:2]
    mask, where = view.masks[row], np.ones((height, width), np.uint8)
    if mask.width:
        # cv2 counts from the middle of the first pixel, boxes from its corner.
        to_view = shifted(-0.5, -0.5) @ view.to_view[row] @ shifted(mask.x + 0.5, mask.y + 0.5)
        crop = decode_mask(mask).astype(np.uint8)
        cv2.warpAffine(crop, to_view[:2], (width, height), where, cv2.INTER_NEAREST)
    inside = np.zeros((height, width), np.uint8)
    x1, y1, x2, y2 = view.clipped()[row].round().astype(int)
    inside[y1:y2, x1:x2] = 1
    return where * inside


def _draw(view: View, shown: list[int], colours: list[tuple[int, int, int]]) -> Image:
    image = view.image.copy()
    areas = [(_where(view, _row(view, number)), i) for i, number in enumerate(shown)]
    areas.sort(key=lambda area: -int(area[0].sum()))  # small ones lie above large ones
    for where, i in areas:
        tint = image[where > 0] * 0.6 + np.array(colours[i]) * 0.4
        image[where > 0] = tint.astype(np.uint8)
        outlines, _ = cv2.findContours(where, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        cv2.drawContours(image, outlines, -1, (0, 0, 0), 3, cv2.LINE_AA)
        cv2.drawContours(image, outlines, -1, colours[i], 2, cv2.LINE_AA)
    for where, i in areas:
        _label(image, str(i + 1), _centre(where), colours[i])
    return image


def _centre(where: Image) -> tuple[int, int]:
    """The pixel of an instance that is farthest from its outline."""
    padded = np.pad(where, 1)
    distance = cv2.distanceTransform(padded, cv2.DIST_L2, 3)
    y, x = np.unravel_index(int(distance.argmax()), distance.shape)
    return int(x) - 1, int(y) - 1


def _label(image: Image, text: str, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    (width, height), _ = cv2.getTextSize(text, _FONT, 0.45, 1)
    x = min(max(at[0] - width // 2, 2), image.shape[1] - width - 3)
    y = min(max(at[1] + height // 2, height + 3), image.shape[0] - 4)
    cv2.rectangle(image, (x - 2, y - height - 2), (x + width + 1, y + 2), colour, -1)
    cv2.putText(image, text, (x, y), _FONT, 0.45, (0, 0, 0), 1, cv2.LINE_AA)


def _colours(count: int) -> list[tuple[int, int, int]]:
    """Bright BGR colours, as different as `count` allows."""
    hues = np.arange(count) * 180 / max(count, 1)
    hsv = np.stack((hues, np.full(count, 190), np.full(count, 255)), axis=-1).astype(np.uint8)
    bgr = cv2.cvtColor(hsv.reshape(-1, 1, 3), cv2.COLOR_HSV2BGR) if count else np.zeros((0, 1, 3))
    return [(int(b), int(g), int(r)) for b, g, r in bgr[:, 0]]


def _caption(text: str, width: int) -> Image:
    text = text.encode("ascii", "replace").decode()  # cv2 has no other letters; some crash it
    strip = np.full((_CAPTION_PX, width, 3), 255, np.uint8)
    while cv2.getTextSize(text, _FONT, 0.45, 1)[0][0] > width - 8 and len(text) > 4:
        text = "..." + text[4:]  # the end of the text has the figures
    cv2.putText(strip, text, (4, 17), _FONT, 0.45, (0, 0, 0), 1, cv2.LINE_AA)
    return strip


def _side_by_side(images: list[Image]) -> Image:
    gap = np.full((images[0].shape[0], _GAP_PX, 3), 255, np.uint8)
    return np.concatenate([part for image in images for part in (image, gap)][:-1], axis=1)
