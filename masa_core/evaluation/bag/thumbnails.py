"""Pictures of what went wrong: crops of the frames before and after, with the boxes of both sides.

One frame is in memory at a time.
"""

from __future__ import annotations

import base64
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from masa_core.evaluation.bag.answers import Answer
from masa_core.evaluation.bag.camera import Camera
from masa_core.evaluation.bag.crops import Box, Image, cut, draw_label, draw_track
from masa_core.evaluation.bag.events import Events, Gap, Switch
from masa_core.evaluation.bag.truth import Truth
from masa_core.io.bag import BagReader
from masa_core.io.bag_source import DECODERS
from masa_core.io.image_decoding import ImageError
from masa_core.io.source import SourceError

WIDTH, HEIGHT = 300, 225
_SHOWN = 8  # events of each kind
_MARGIN = 2.4  # of the crop, in sizes of the object
_LEAST_PX = 100  # width of a crop
_QUALITY = 82


@dataclass
class Thumbnail:
    """One picture. frame: of the labels. data_uri: a JPEG; empty where the image is damaged."""

    frame: int
    words: str
    data_uri: str = ""


@dataclass
class EventPictures:
    event: Switch | Gap
    pictures: list[Thumbnail] = field(default_factory=list)


def worst_switches(events: Events) -> list[Switch]:
    """Those between the longest stretches: they cost most."""
    return sorted(events.switches, key=lambda switch: -switch.stake)[:_SHOWN]


def worst_gaps(events: Events) -> list[Gap]:
    """The longest."""
    return sorted(events.gaps, key=lambda gap: -len(gap.missed))[:_SHOWN]


def draw_events(
    events: Sequence[Switch | Gap], camera: Camera, truth: Truth, answers: Sequence[Answer]
) -> list[EventPictures]:
    """Reads the bag once more, and decodes the frames that are shown.

    Raises SourceError where the bag has become unreadable.
    """
    shown = [EventPictures(event) for event in events]
    wanted: dict[int, list[tuple[Thumbnail, Switch | Gap]]] = defaultdict(list)
    for item in shown:
        for frame, words in _moments(item.event):
            item.pictures.append(Thumbnail(frame, words))
            wanted[truth.images[frame]].append((item.pictures[-1], item.event))
    for index, image in _images(camera, set(wanted)):
        for picture, event in wanted[index]:
            size = _crop_size(event, truth)
            picture.data_uri = _draw(image, picture.frame, event, size, truth, answers)
    return shown


def _moments(event: Switch | Gap) -> list[tuple[int, str]]:
    if isinstance(event, Switch):
        return [(event.before, f"track {event.old}"), (event.after, f"track {event.new}")]
    middle = event.missed[len(event.missed) // 2]
    return [(event.before, "last found"), (middle, "not found"), (event.after, "found again")]


def _images(camera: Camera, wanted: set[int]) -> Iterator[tuple[int, Image]]:
    """The wanted images of the camera by their index; those that are damaged are left out."""
    last = max(wanted, default=-1)
    with BagReader(camera.bag) as reader:
        for index, message in enumerate(reader.messages(camera.topic)):
            if index > last:
                return
            if index not in wanted:
                continue
            try:
                yield index, DECODERS[message.type](reader.decode(message))
            except (ImageError, SourceError):
                continue


def _object_box(frame: int, object_id: str, truth: Truth) -> Box:
    labels = truth.frames[frame]
    return np.array(labels.shapes[labels.ids.index(object_id)], np.float64)


def _crop_size(event: Switch | Gap, truth: Truth) -> float:
    """Width of the crop in pixels of the frame, the same in all pictures of an event."""
    boxes = [_object_box(frame, event.object_id, truth) for frame, _ in _moments(event)]
    sizes = [max(box[2] - box[0], (box[3] - box[1]) * WIDTH / HEIGHT) for box in boxes]
    return max(_MARGIN * max(sizes), _LEAST_PX)


def _draw(
    image: Image,
    frame: int,
    event: Switch | Gap,
    size: float,
    truth: Truth,
    answers: Sequence[Answer],
) -> str:
    """The data URI of a crop around the object: its label dashed, tracks in their colours."""
    box = _object_box(frame, event.object_id, truth)
    centre = (box[:2] + box[2:]) / 2
    half = np.array([size, size * HEIGHT / WIDTH]) / 2
    view = np.concatenate((centre - half, centre + half))
    crop = cut(image, view, (WIDTH, HEIGHT))

    def placed(edges: Sequence[float]) -> Box:
        return (np.array(edges) - np.tile(view[:2], 2)) * (WIDTH / size)

    answer = answers[frame]
    own = {event.old, event.new} if isinstance(event, Switch) else set(answer.ids)
    rows = zip(answer.ids, answer.boxes, strict=True)
    for track_id, edges in sorted(rows, key=lambda row: row[0] in own):  # own ones on top
        draw_track(crop, placed(edges), track_id, 2 if track_id in own else 1)
    draw_label(crop, placed(box.tolist()))
    jpeg = cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])[1]
    return "data:image/jpeg;base64," + base64.b64encode(jpeg.tobytes()).decode()
