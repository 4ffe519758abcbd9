"""Crops of frames with boxes drawn in, for the report."""

from __future__ import annotations

from itertools import pairwise

import cv2
import numpy as np
from numpy.typing import NDArray

from masa_core.overlay import track_colour

_PAPER = (90, 90, 90)  # beyond the frame
_DASH_PX = 4
_FONT = cv2.FONT_HERSHEY_SIMPLEX

Image = NDArray[np.uint8]
Box = NDArray[np.float64]  # x1 y1 x2 y2


def colour_of(track_id: str) -> tuple[int, int, int]:
    """BGR, as in overlays; an id of a later epoch is written "epoch.id"."""
    tail = track_id.rpartition(".")[2]
    return track_colour(int(tail) if tail.isdecimal() else sum(tail.encode()))


def cut(image: Image, view: Box, size: tuple[int, int]) -> Image:
    """The part of a frame that a box shows, scaled to a size (width, height)."""
    x1, y1, x2, y2 = np.rint(view).astype(int).tolist()
    height, width = image.shape[:2]
    part = np.full((max(y2 - y1, 1), max(x2 - x1, 1), 3), _PAPER, np.uint8)
    left, top, right, bottom = max(x1, 0), max(y1, 0), min(x2, width), min(y2, height)
    if left < right and top < bottom:
        part[top - y1 : bottom - y1, left - x1 : right - x1] = image[top:bottom, left:right]
    method = cv2.INTER_AREA if part.shape[1] > size[0] else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(part, size, interpolation=method), np.uint8)


def draw_track(crop: Image, box: Box, name: str, thickness: int) -> None:
    """A box in its track's colour, with its id in the corner; nothing where it is not in view."""
    x1, y1, x2, y2 = _corners(box)
    if x2 <= 0 or y2 <= 0 or x1 >= crop.shape[1] or y1 >= crop.shape[0]:
        return
    colour = colour_of(name)
    cv2.rectangle(crop, (x1, y1), (x2, y2), colour, thickness, cv2.LINE_AA)
    (width, height), _ = cv2.getTextSize(name, _FONT, 0.42, 1)
    left = min(max(x1, 0), crop.shape[1] - width - 4)
    top = min(max(y1 - height - 5, 0), crop.shape[0] - height - 5)
    cv2.rectangle(crop, (left, top), (left + width + 4, top + height + 5), colour, -1)
    blue, green, red = colour
    ink = (0, 0, 0) if 0.114 * blue + 0.587 * green + 0.299 * red > 128 else (255, 255, 255)
    place = (left + 2, top + height + 2)
    cv2.putText(crop, name, place, _FONT, 0.42, ink, 1, cv2.LINE_AA)


def draw_label(crop: Image, box: Box) -> None:
    """A box of black and white dashes, to be seen on any ground."""
    x1, y1, x2, y2 = _corners(box)
    corners = np.array([(x1, y1), (x2, y1), (x2, y2), (x1, y2), (x1, y1)], float)
    for start, end in pairwise(corners):
        steps = max(int(np.abs(end - start).max()) // _DASH_PX, 1)
        points = np.rint(np.linspace(start, end, steps + 1)).astype(int).tolist()
        for dash, (begin, stop) in enumerate(pairwise(points)):
            colour = (255, 255, 255) if dash % 2 else (0, 0, 0)
            cv2.line(crop, begin, stop, colour, 1, cv2.LINE_AA)


def _corners(box: Box) -> tuple[int, int, int, int]:
    x1, y1, x2, y2 = np.rint(np.clip(box, -4000, 4000)).astype(int).tolist()
    return x1, y1, x2, y2
