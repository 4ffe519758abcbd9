"""Small drives for tests of the evaluation: three squares of a colour each, and their truth."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from fakes import COLOURS, HEIGHT, SIDE, START_NS, WIDTH, BagMaker, picture

from masa_core.evaluation.bag.answers import Answer
from masa_core.evaluation.bag.camera import Camera
from masa_core.evaluation.bag.truth import Truth
from masa_core.evaluation.formats_scalabel import FrameLabels

CAMERA_NS = 33_333_333
CATEGORIES = {"car": "car", "person": "pedestrian", "dog": "dog"}  # of the truth, by colour


def square(index: int, row: int) -> list[int]:
    """The box of a square of `fakes.picture`."""
    x, y = 2 + (index * (row + 1)) % (WIDTH - SIDE - 2), 4 + 20 * row
    return [x, y, x + SIDE, y + SIDE]


def write_drive(path: Path, frames: int, skip: tuple[int, ...] = ()) -> Path:
    """A bag with images on /camera at 30 Hz, but for those to skip."""
    with BagMaker(path) as bag:
        for index in range(frames):
            if index not in skip:
                bag.image("/camera", START_NS + index * CAMERA_NS, picture(index))
    return path


def truth_frames(frames: int, every: int = 6, **extra: Any) -> list[dict[str, Any]]:
    """Scalabel frames of every so manieth image, without stamps; extra: of each frame."""
    return [
        {
            "name": f"{index}.jpg",
            "videoName": "squares",
            "frameIndex": index // every,
            "labels": [
                {
                    "id": str(row),
                    "category": CATEGORIES[name],
                    "box2d": dict(zip(("x1", "y1", "x2", "y2"), square(index, row), strict=True)),
                }
                for row, name in enumerate(COLOURS)
            ],
            **extra,
        }
        for index in range(0, frames, every)
    ]


def stamped(frames: list[dict[str, Any]], every: int = 6, begin_ns: int = START_NS) -> Any:
    """The frames with the stamps of their images."""
    for number, frame in enumerate(frames):
        stamp_ns = begin_ns + number * every * CAMERA_NS
        frame["attributes"] = {"stamp_ns": str(stamp_ns)}
    return frames


def write_json(path: Path, content: Any) -> Path:
    path.write_text(json.dumps(content))
    return path


def camera(frames: int, period_ns: int = CAMERA_NS) -> Camera:
    stamps = START_NS + period_ns * np.arange(frames)
    return Camera(Path("drive"), "/camera", "sensor_msgs/msg/Image", stamps)


def random_run(seed: int, frames: int = 30, objects: int = 5) -> tuple[Truth, list[Answer]]:
    """Truth and tracks that meet, miss, swap and invent at random."""
    random = np.random.default_rng(seed)
    names = ("car", "person", "other vehicle", "dog")
    places = random.uniform(0, 400, (objects, 2))
    ids = [str(number) for number in range(objects)]
    labels, answers = [], []
    for index in range(frames):
        places += random.normal(0, 3, places.shape)
        shown = np.flatnonzero(random.random(objects) < 0.85)
        boxes = np.concatenate((places, places + 40), axis=1)
        if random.random() < 0.15:
            i, j = random.choice(objects, 2, replace=False)
            ids[i], ids[j] = ids[j], ids[i]
        if random.random() < 0.1:
            ids[int(random.integers(objects))] = str(100 + index)
        labels.append(
            FrameLabels(
                f"{index}.jpg",
                index,
                [f"o{i}" for i in shown],
                [names[i % len(names)] for i in shown],
                [bool(random.random() < 0.05) for _ in shown],
                [bool(random.random() < 0.05) for _ in shown],
                boxes[shown].tolist(),
            )
        )
        found = np.flatnonzero(random.random(objects) < 0.8)
        noisy = boxes[found] + random.normal(0, 4, (len(found), 4))
        answers.append(
            Answer(
                [*(ids[i] for i in found), "900"],
                [*(names[int(random.integers(4))] for _ in found), "car"],
                [*noisy.tolist(), [500.0, 500.0, 530.0, 540.0]],
                [0.9] * (len(found) + 1),
            )
        )
    stamps = [START_NS + index * CAMERA_NS for index in range(frames)]
    truth = Truth("drive", labels, list(range(frames)), stamps, "its stamps", [], 1)
    return truth, answers


assert HEIGHT >= 64  # the squares of three rows fit
