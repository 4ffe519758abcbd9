"""The pipeline: what is called, with what, and what comes out."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from masa_core.masks import encode_mask
from masa_core.pipeline import MasaPipeline, labels_of
from masa_core.structures import Detections, TrackState
from masa_core.tracking import Tracker, TrackerConfig

FRAME = np.zeros((48, 64, 3), np.uint8)
TWO = Detections([[0, 0, 10, 10], [30, 20, 40, 30]], [0.95, 0.9], [0, 1])


class FakeModel:
    """Answers the four calls and notes them."""

    name = "fake"
    classes = ("car", "person")

    def __init__(self, has_detector: bool = True, has_masks: bool = False) -> None:
        self.has_detector, self.has_masks = has_detector, has_masks
        self.calls: list[str] = []

    def encode(self, frame_bgr: np.ndarray) -> Any:
        self.calls.append("encode")
        return frame_bgr

    def detect(self, features: Any) -> Detections:
        self.calls.append("detect")
        return TWO

    def embed(self, features: Any, boxes: np.ndarray) -> np.ndarray:
        self.calls.append("embed")
        return (10 * np.eye(8, dtype=np.float32))[: len(boxes)]

    def masks(self, features: Any, boxes: np.ndarray) -> list[Any]:
        self.calls.append("masks")
        return [encode_mask(np.ones((2, 2), bool), int(box[0]), int(box[1])) for box in boxes]


def pipeline(model: FakeModel, **options: Any) -> MasaPipeline:
    return MasaPipeline(model, Tracker(TrackerConfig.preset("masa_tao")), **options)


def test_a_frame_alone_is_detected_embedded_tracked_and_cut_out() -> None:
    model = FakeModel(has_masks=True)
    pipe = pipeline(model)
    tracks = pipe.step(FRAME, 0)
    assert model.calls == ["encode", "detect", "embed", "masks"]
    assert list(tracks.ids) == [0, 1] and [mask.x for mask in tracks.masks] == [0, 30]
    assert set(pipe.timings) == {"encode", "detect", "embed", "track", "masks"}


def test_given_detections_and_their_masks_are_used() -> None:
    model = FakeModel(has_masks=True)
    masks = [encode_mask(np.ones((2, 2), bool), x, 0) for x in (1, 2)]
    given = Detections(TWO.boxes, TWO.scores, TWO.labels, masks)
    assert pipeline(model).step(FRAME, 0, given).masks == masks
    assert model.calls == ["encode", "embed"]


def test_given_empty_detections_cost_nothing_and_are_not_replaced() -> None:
    model = FakeModel()
    assert len(pipeline(model).step(FRAME, 0, Detections.empty())) == 0
    assert model.calls == []


def test_masks_are_cut_out_wherever_there_are_tracks_and_only_there() -> None:
    model, cutter = FakeModel(), FakeModel(has_masks=True)
    config = TrackerConfig.preset("masa_plus", coast_s=1.0)
    pipe = MasaPipeline(model, Tracker(config), masks=cutter)
    assert pipe.step(FRAME, 0, Detections.empty()).masks == [] and cutter.calls == []
    for number in range(1, 6):
        assert len(pipe.step(FRAME, number * 10**8, TWO).masks) == 2
    coasted = pipe.step(FRAME, 6 * 10**8, Detections.empty())
    assert list(coasted.states) == [TrackState.COASTED] * 2 and len(coasted.masks) == 2
    assert model.calls == ["encode", "embed"] * 5
    assert cutter.calls == ["encode", "masks"] * 6


def test_a_detector_and_a_mask_model_of_ones_own() -> None:
    class OneBox:
        classes = ("box",)

        def detect(self, frame_bgr: np.ndarray) -> Detections:
            return TWO[:1]

    model, cutter = FakeModel(), FakeModel(has_masks=True)
    pipe = pipeline(model, detector=OneBox(), masks=cutter)
    tracks = pipe.step(FRAME, 0)
    assert pipe.classes == ("box",) and pipeline(model).classes == FakeModel.classes
    assert len(tracks) == 1 and len(tracks.masks) == 1
    assert (model.calls, cutter.calls) == (["encode", "embed"], ["encode", "masks"])


def test_only_wanted_labels_are_tracked() -> None:
    pipe = pipeline(FakeModel())
    pipe.labels = labels_of(["person"], FakeModel.classes)
    assert list(pipe.step(FRAME, 0).labels) == [1]
    assert list(pipe.step(FRAME, 1, TWO).labels) == [1]
    with pytest.raises(ValueError, match="unknown class 'persn'; did you mean 'person'"):
        labels_of(["persn"], FakeModel.classes)


def test_what_cannot_work_is_told() -> None:
    with pytest.raises(ValueError, match="model fake has no detector"):
        pipeline(FakeModel(has_detector=False)).step(FRAME, 0)
    with pytest.raises(ValueError, match="model fake gives no masks"):
        pipeline(FakeModel(), masks=FakeModel())


@pytest.mark.parametrize(
    "frame",
    [
        None,
        FRAME[..., 0],
        np.zeros((48, 64, 4), np.uint8),
        np.zeros((48, 64, 3), np.float32),
        np.zeros((48, 64, 3), np.uint16),
        FRAME[:0],
        FRAME[None],
    ],
    ids=["none", "grey", "alpha", "float", "16 bits", "empty", "batch"],
)
def test_a_frame_of_another_kind_is_told(frame: Any) -> None:
    with pytest.raises(ValueError, match=r"must be a \(H, W, 3\) uint8 BGR array, got"):
        pipeline(FakeModel()).step(frame, 0)


def test_masks_of_another_kind_are_told() -> None:
    for masks in (np.ones((2, 48, 64), bool), [np.ones((48, 64), bool)] * 2):
        with pytest.raises(ValueError, match="encode_mask"):
            Detections(TWO.boxes, TWO.scores, TWO.labels, masks)


@pytest.mark.parametrize(
    ("boxes", "says"),
    [
        (np.zeros((2, 3)), r"shape \(N, 4\), got \(2, 3\)"),
        ([[0, 0, np.nan, 1]], "not a finite number"),
        (np.zeros((2, 4)), "scores has 1 rows, boxes have 2"),
    ],
)
def test_wrong_detections_are_told(boxes: Any, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        Detections(boxes, [0.5], [0])


def test_rows_are_taken_by_mask_index_and_slice() -> None:
    masks = [encode_mask(np.ones((1, 1), bool), x) for x in (5, 6)]
    table = Detections(TWO.boxes, TWO.scores, TWO.labels, masks)
    for rows in (np.array([False, True]), [1], slice(1, 2)):
        taken = table[rows]
        assert list(taken.labels) == [1] and taken.masks == masks[1:]
    assert len(table[np.zeros(2, bool)]) == 0
    with pytest.raises(IndexError):
        table[np.array([True])]
