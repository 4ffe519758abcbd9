"""The tracks of a run drawn on its frames: a video, and a sheet to see at a glance."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from masa_core.io.bag_source import BagSource
from masa_core.io.image_files import write_image
from masa_core.io.overlay_video import OverlayWriter
from masa_core.overlay import draw_tracks
from masa_core.structures import Tracks
from masa_ros.demo_report import Recording

_COLUMNS, _ROWS = 3, 3
_CELL_WIDTH = 640
_GAP = 12
_CAPTION = 34
_TITLE = 56
_PAPER, _INK, _FAINT = (255, 255, 255), (40, 40, 40), (120, 120, 120)
_FONT = cv2.FONT_HERSHEY_SIMPLEX


def draw_run(folder: Path, drive: Path, recording: Recording, offset_ns: int, title: str) -> None:
    """Writes overlay.mp4 and contact_sheet.png from the drive's frames and the recorded tracks.

    offset_ns: what the player added to the stamps of the drive.
    """
    classes = recording.class_names()
    with BagSource(drive) as source:
        chosen = np.linspace(0, (source.length or 1) - 1, _COLUMNS * _ROWS).round().tolist()
        cells = []
        video = OverlayWriter(folder / "overlay.mp4", source.fps, classes)
        for frame in source:
            answer = recording.tracks.get(frame.stamp_ns + offset_ns)
            tracks = Tracks.empty() if answer is None else answer
            video.write(frame, tracks)
            if frame.index in chosen:
                words = "frame lost" if answer is None else f"{len(tracks)} tracks"
                picture = draw_tracks(frame.image, tracks, classes)
                cells.append(_cell(picture, f"{frame.index / source.fps:.1f} s, {words}"))
        video.close()
    write_image(folder / "contact_sheet.png", _sheet(cells, title))


def _cell(picture: NDArray[np.uint8], caption: str) -> NDArray[np.uint8]:
    height = round(picture.shape[0] * _CELL_WIDTH / picture.shape[1])
    small = cv2.resize(picture, (_CELL_WIDTH, height), interpolation=cv2.INTER_AREA)
    cell = np.full((height + _CAPTION, _CELL_WIDTH, 3), _PAPER, np.uint8)
    cell[:height] = small
    cv2.putText(cell, caption, (2, height + 22), _FONT, 0.55, _FAINT, 1, cv2.LINE_AA)
    return cell


def _sheet(cells: Sequence[NDArray[np.uint8]], title: str) -> NDArray[np.uint8]:
    height, width = cells[0].shape[:2]
    sheet_width = _COLUMNS * (width + _GAP) + _GAP
    sheet = np.full((_TITLE + _ROWS * (height + _GAP), sheet_width, 3), _PAPER, np.uint8)
    cv2.putText(sheet, title, (_GAP, 36), _FONT, 0.8, _INK, 2, cv2.LINE_AA)
    for place, cell in enumerate(cells):
        top = _TITLE + place // _COLUMNS * (height + _GAP)
        left = _GAP + place % _COLUMNS * (width + _GAP)
        sheet[top : top + height, left : left + width] = cell
    return sheet
