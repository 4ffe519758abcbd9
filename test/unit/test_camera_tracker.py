"""What the worker does with one image, without ROS."""

from __future__ import annotations

from types import SimpleNamespace as Message
from typing import Any

import numpy as np
import pytest

from masa_core.io.detection_messages import Row
from masa_core.io.image_decoding import ImageError, decode_image
from masa_core.masks import encode_mask
from masa_core.structures import Detections, Mask
from masa_core.tracking import TrackerConfig
from masa_ros.camera_tracker import CameraTracker
from masa_ros.intake import Arrival


class FakeModel:
    name = "fake"
    classes = ("car", "person")
    has_detector = True
    has_masks = False

    def encode(self, frame_bgr: np.ndarray) -> Any:
        return frame_bgr

    def detect(self, features: Any) -> Detections:
        return Detections([[0, 0, 10, 10], [30, 20, 40, 30]], [0.95, 0.9], [0, 1])

    def embed(self, features: Any, boxes: np.ndarray) -> np.ndarray:
        return (10 * np.eye(8, dtype=np.float32))[boxes[:, 0].astype(int) // 10]


CONFIG = TrackerConfig.preset("masa_tao")


def arrival(number: int, epoch: int = 0, **more: Any) -> Arrival:
    image = Message(height=48, width=64, encoding="bgr8", step=192, is_bigendian=0)
    image.data = more.get("data", bytes(48 * 192))
    return Arrival(0, epoch, number, 0.0, image, more.get("detections"))


def own_detector() -> CameraTracker:
    return CameraTracker(FakeModel(), CONFIG, decode_image, None)


def ids(tracker: CameraTracker, *arguments: Any, **more: Any) -> list[int]:
    return tracker.track(arrival(*arguments, **more)).tracks.ids.tolist()


def test_an_image_is_tracked_and_timed() -> None:
    outcome = own_detector().track(arrival(1))
    assert outcome.image.shape == (48, 64, 3) and outcome.tracks.ids.tolist() == [0, 1]
    assert set(outcome.latency_s) == {"decode", "encode", "detect", "embed", "track"}


def test_a_detector_finds_boxes_in_the_models_place() -> None:
    class OneBox:
        classes = ("tree",)

        def detect(self, frame_bgr: np.ndarray) -> Detections:
            return Detections([[30, 20, 40, 30]], [0.9], [0])

    tracker = CameraTracker(FakeModel(), CONFIG, decode_image, None, OneBox())
    tracks = tracker.track(arrival(1)).tracks
    assert tracks.boxes.tolist() == [[30, 20, 40, 30]] and tracker.names.words == ["tree"]
    tracker.configure(CONFIG, ("tree",))
    with pytest.raises(ValueError, match="unknown class 'car'"):
        tracker.configure(CONFIG, ("car",))


def test_ids_begin_anew_with_an_epoch() -> None:
    tracker = own_detector()
    tracker.configure(TrackerConfig.preset("masa_tao", init_score_thr=0.92), ())
    assert ids(tracker, 1) == [0]
    tracker.configure(CONFIG, ())
    assert ids(tracker, 2) == [0, 1]
    tracker.configure(TrackerConfig.preset("masa_tao", obj_score_thr=0.92), ())
    assert ids(tracker, 3) == [0, 2]  # the second is too weak to continue, but not to begin
    assert ids(tracker, 4, epoch=1) == [0, 1]


def test_chosen_classes_only() -> None:
    tracker = own_detector()
    tracker.configure(CONFIG, ("person",))
    assert tracker.track(arrival(1)).tracks.labels.tolist() == [1]
    tracker.configure(CONFIG, ())
    assert tracker.track(arrival(2)).tracks.labels.tolist() == [0, 1]
    with pytest.raises(ValueError, match="unknown class 'persn'; did you mean 'person'"):
        tracker.configure(CONFIG, ("persn",))
    assert tracker.track(arrival(3)).tracks.labels.tolist() == [0, 1]


def test_boxes_of_others_keep_their_names_and_empty_ones_are_tracked_too() -> None:
    tracker = CameraTracker(FakeModel(), CONFIG, decode_image, lambda message: message)
    tracker.configure(CONFIG, ("dog", "tree"))  # any name may come
    rows = [Row((0, 0, 10, 10), 0.9, "dog", 17), Row((0, 0, 10, 10), 0.9, "cat", 16)]
    tracks = tracker.track(arrival(1, detections=rows)).tracks
    assert [tracker.names.name(label) for label in tracks.labels] == [("dog", 17)]
    assert ids(tracker, 2, detections=[]) == []
    tracks = tracker.track(arrival(3, detections=rows)).tracks
    assert tracks.ids.tolist() == [0] and tracks.ages.tolist() == [3]


def test_a_bad_image_changes_nothing() -> None:
    tracker = own_detector()
    before = ids(tracker, 1)
    with pytest.raises(ImageError):
        tracker.track(arrival(2, epoch=7, data=b"short"))
    assert ids(tracker, 3) == before


class MaskingModel(FakeModel):
    has_masks = True

    def masks(self, features: Any, boxes: np.ndarray) -> list[Mask]:
        return [encode_mask(np.ones((4, 4), bool))] * len(boxes)


def test_masks_come_from_who_is_named_and_else_from_nobody() -> None:
    model = MaskingModel()
    nobody = CameraTracker(model, CONFIG, decode_image, None)
    assert nobody.track(arrival(1)).tracks.masks is None
    itself = CameraTracker(model, CONFIG, decode_image, None, masks=model)
    assert itself.track(arrival(1)).tracks.masks == model.masks(None, np.zeros((2, 4)))
