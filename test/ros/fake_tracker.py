"""The real tracker node with a model that sees coloured rectangles: `fake_tracker.py --ros-args`.

Every blue value from 1 to 8 in an image is one object; its box is where that value is, its
embedding tells the value. An image with the value 255 in its first pixel makes the model raise.
FAKE_DELAY_S: seconds that the model takes for each image. FAKE_DETECTOR=0: it finds no boxes.
FAKE_PROMPT=1: its classes are those of a prompt.
"""

from __future__ import annotations

import os
import sys
import time
from types import SimpleNamespace
from typing import Any

import numpy as np

import masa_ros.engine
from masa_core.masks import encode_mask
from masa_core.structures import Detections, Mask
from masa_ros.tracker_node import main

OBJECTS = range(1, 9)


class FakeModel:
    name = "fake"
    classes = ("car", "person", "dog")
    has_detector = os.environ.get("FAKE_DETECTOR") != "0"
    has_masks = True

    def __init__(self) -> None:
        self.ballast = np.ones(8 << 20, np.uint8)  # a model that is not freed is noticed

    def encode(self, frame_bgr: np.ndarray) -> Any:
        time.sleep(float(os.environ.get("FAKE_DELAY_S", "0")))
        if frame_bgr[0, 0, 0] == 255:
            raise RuntimeError("told to fail")
        height, width = frame_bgr.shape[:2]
        return SimpleNamespace(blue=frame_bgr[..., 0], height=height, width=width)

    def detect(self, features: Any) -> Detections:
        seen = [value for value in OBJECTS if (features.blue == value).any()]
        if not seen:
            return Detections.empty()
        boxes = []
        for value in seen:
            y, x = np.nonzero(features.blue == value)
            boxes.append([x.min(), y.min(), x.max() + 1, y.max() + 1])
        scores = [1 - value / 100 for value in seen]
        return Detections(boxes, scores, [value % len(self.classes) for value in seen])

    def embed(self, features: Any, boxes: np.ndarray) -> np.ndarray:
        x, y = ((boxes[:, :2] + boxes[:, 2:]) / 2).astype(int).T
        return 10 * np.eye(256, dtype=np.float32)[features.blue[y, x]]

    def masks(self, features: Any, boxes: np.ndarray) -> list[Mask]:
        found = []
        for x1, y1, x2, y2 in boxes.astype(int):
            crop = features.blue[y1:y2, x1:x2]
            found.append(encode_mask(crop == crop[len(crop) // 2, crop.shape[1] // 2], x1, y1))
        return found


class PromptedModel(FakeModel):
    """Takes any prompt of words, as many as it has classes or fewer."""

    def set_prompt(self, prompt: str) -> tuple[str, ...]:
        if not prompt:
            raise ValueError("the prompt is empty")
        words = prompt.split()
        self.classes = tuple((words * 3)[:3])
        return tuple(words)


def load_fake(name: str, **options: Any) -> FakeModel:
    if name == "broken":
        raise RuntimeError("the model file is broken")
    return PromptedModel() if os.environ.get("FAKE_PROMPT") == "1" else FakeModel()


if __name__ == "__main__":
    masa_ros.engine.load_model = load_fake
    sys.exit(main())
