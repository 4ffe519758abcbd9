"""Drawing tracks on a frame, for people to look at."""

from __future__ import annotations

import colorsys
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from masa_core.masks.compact import part_in_frame
from masa_core.structures import Mask, Tracks, TrackState

_GOLDEN_RATIO = 0.61803398875  # steps of the hue by this much keep neighbouring ids far apart
_TINT = 0.45  # share of the track's colour in the pixels of its mask
_FONT = cv2.FONT_HERSHEY_SIMPLEX
_REFERENCE_PX = 900  # a frame whose diagonal is this long gets lines of 2 px


def track_colour(track_id: int) -> tuple[int, int, int]:
    """BGR colour of a track; the same for the same id, everywhere."""
    hue = (track_id * _GOLDEN_RATIO) % 1.0
    value = (1.0, 0.8, 0.9)[track_id % 3]  # tells apart ids whose hues are close
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.85, value)
    return round(blue * 255), round(green * 255), round(red * 255)


def draw_tracks(
    frame_bgr: NDArray[np.uint8], tracks: Tracks, classes: Sequence[str] = ()
) -> NDArray[np.uint8]:
    """A copy of a (H, W, 3) uint8 BGR frame with box, mask, class and id of each track.

    classes: names of the labels. A box is drawn thick where the track is confirmed, thin where it
    is tentative, and as its corners alone where it coasts (its box is predicted, not seen).
    """
    picture = np.array(frame_bgr)
    height, width = picture.shape[:2]
    thickness = max(1, round(2 * float(np.hypot(height, width)) / _REFERENCE_PX))
    order = np.argsort(tracks.boxes[:, 3], kind="stable")  # near objects (low in the frame) on top
    for row in order:
        if tracks.masks is not None:
            _tint(picture, tracks.masks[row], track_colour(int(tracks.ids[row])))
    for row in order:
        _draw_box(picture, tracks, row, thickness)
    for row in order:
        _draw_label(picture, tracks, row, classes, thickness)
    return picture


def _tint(picture: NDArray[np.uint8], mask: Mask, colour: tuple[int, int, int]) -> None:
    where, inside = part_in_frame(mask, *picture.shape[:2])
    region = picture[where]
    mixed = region[inside] * (1 - _TINT) + np.array(colour) * _TINT
    region[inside] = mixed.astype(np.uint8)


def _draw_box(picture: NDArray[np.uint8], tracks: Tracks, row: Any, thickness: int) -> None:
    x1, y1, x2, y2 = _corners(tracks.boxes[row])
    colour = track_colour(int(tracks.ids[row]))
    state = tracks.states[row]
    if state != TrackState.COASTED:
        line = thickness if state == TrackState.CONFIRMED else max(1, thickness // 2)
        cv2.rectangle(picture, (x1, y1), (x2, y2), colour, line)
        return
    arm_x, arm_y = max(1, (x2 - x1) // 4), max(1, (y2 - y1) // 4)
    for x, dx in ((x1, arm_x), (x2, -arm_x)):
        for y, dy in ((y1, arm_y), (y2, -arm_y)):
            corner = np.array([(x + dx, y), (x, y), (x, y + dy)])
            cv2.polylines(picture, [corner], False, colour, thickness)


def _draw_label(
    picture: NDArray[np.uint8], tracks: Tracks, row: Any, classes: Sequence[str], thickness: int
) -> None:
    """Class and id on the track's colour, above the box or else inside, never cut off."""
    label = int(tracks.labels[row])
    name = f"{classes[label]} " if 0 <= label < len(classes) else ""
    text = f"{name}{tracks.ids[row]}"
    text = text.encode("ascii", "replace").decode()  # OpenCV draws ASCII only
    scale = 0.2 + 0.14 * thickness
    line = max(1, thickness // 2)
    (text_width, text_height), baseline = cv2.getTextSize(text, _FONT, scale, line)
    height, width = picture.shape[:2]
    x1, y1, _, _ = _corners(tracks.boxes[row])
    plate_width, plate_height = text_width + 4, text_height + baseline + 2
    left = min(max(x1, 0), max(width - plate_width, 0))
    top = y1 - plate_height if y1 >= plate_height else y1
    top = min(max(top, 0), max(height - plate_height, 0))
    colour = track_colour(int(tracks.ids[row]))
    bottom_right = (left + plate_width - 1, top + plate_height - 1)
    cv2.rectangle(picture, (left, top), bottom_right, colour, -1)
    blue, green, red = colour
    ink = (0, 0, 0) if 0.114 * blue + 0.587 * green + 0.299 * red > 128 else (255, 255, 255)
    origin = (left + 2, top + text_height + 2)
    cv2.putText(picture, text, origin, _FONT, scale, ink, line, cv2.LINE_AA)


def _corners(box: NDArray[np.float32]) -> tuple[int, int, int, int]:
    """Corners in whole pixels, kept in the range that OpenCV can draw."""
    x1, y1, x2, y2 = np.clip(np.rint(box), -30_000, 30_000).astype(int).tolist()
    return x1, y1, x2, y2
