"""Decoding of detector outputs, against the same rules written cell by cell."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from masa_core.detectors import DetectorSpec, decode, suppress
from masa_core.tracking.association import box_iou

STRIDES = (8, 16, 32)
CLASSES = ("car", "person", "dog")


def spec(**changes: object) -> DetectorSpec:
    values = {
        "layout": "nanodet",
        "outputs": {"scores": "cls", "distances": "reg"},
        "strides": STRIDES,
        "score_threshold": 0.4,
        "nms_iou": 0.6,
        "max_detections": 100,
        "classes": CLASSES,
    }
    return DetectorSpec(**{**values, **changes})


def cells_of(height: int, width: int) -> int:
    return sum((height // stride) * (width // stride) for stride in STRIDES)


def outputs(seed: int, height: int, width: int, bins: int = 5) -> dict[str, np.ndarray]:
    random = np.random.default_rng(seed)
    cells = cells_of(height, width)
    return {
        "cls": random.random((1, cells, len(CLASSES)), np.float32) ** 4,
        "reg": 3 * random.standard_normal((1, cells, 4 * bins)).astype(np.float32),
    }


def cell_by_cell(tensors: dict[str, np.ndarray], height: int, width: int) -> list[tuple]:
    """(box, score, label) of every cell above the threshold: the rules of NanoDet, spelt out."""
    found, cell = [], 0
    for stride in STRIDES:
        for row in range(height // stride):
            for column in range(width // stride):
                scores = tensors["cls"][0, cell]
                if scores.max() > 0.4:
                    sides = []
                    for side in tensors["reg"][0, cell].reshape(4, -1):
                        share = np.exp(side) / np.exp(side).sum()
                        sides.append(stride * sum(i * p for i, p in enumerate(share)))
                    x, y = (column + 0.5) * stride, (row + 0.5) * stride
                    box = (x - sides[0], y - sides[1], x + sides[2], y + sides[3])
                    box = np.clip(box, 0, [width, height, width, height])
                    found.append((box, scores.max(), int(scores.argmax())))
                cell += 1
    return sorted(found, key=lambda item: -item[1])


@settings(max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 4), st.integers(1, 4))
def test_nanodet_boxes_are_those_of_its_cells(seed: int, rows: int, columns: int) -> None:
    height, width = 32 * rows, 32 * columns
    tensors = outputs(seed, height, width)
    expected = cell_by_cell(tensors, height, width)
    found = decode(tensors, spec(nms_iou=1.0, max_detections=10_000), height, width)
    assert len(found) == len(expected)
    for (box, score, label), row in zip(expected, range(len(found)), strict=True):
        assert found.boxes[row] == pytest.approx(box, abs=1e-3)
        assert (found.scores[row], found.labels[row]) == (score, label)


def test_nothing_above_the_threshold_is_no_detections() -> None:
    tensors = outputs(0, 64, 64)
    tensors["cls"][:] = 0.1
    assert len(decode(tensors, spec(), 64, 64)) == 0


def test_the_best_are_kept_of_too_many() -> None:
    tensors = outputs(1, 416, 416)
    tensors["cls"][..., 0] = np.linspace(0.5, 0.9, tensors["cls"].shape[1])
    found = decode(tensors, spec(max_detections=7, nms_iou=1.0), 416, 416)
    assert len(found) == 7
    assert found.scores == pytest.approx(np.sort(tensors["cls"].max(axis=2)[0])[::-1][:7])


@pytest.mark.parametrize("wrong", [{"cls": 1}, {"reg": 1}])
def test_outputs_of_another_size_are_refused(wrong: dict[str, int]) -> None:
    tensors = outputs(0, 64, 64)
    for name, cells in wrong.items():
        tensors[name] = tensors[name][:, cells:]
    with pytest.raises(ValueError, match="expects 84 cells for an input of 64x64 px"):
        decode(tensors, spec(), 64, 64)


def test_more_classes_than_names_are_refused() -> None:
    tensors = outputs(0, 64, 64)
    tensors["cls"][0, 3, 2] = 0.99
    with pytest.raises(ValueError, match="more classes than the 2"):
        decode(tensors, spec(classes=CLASSES[:2]), 64, 64)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layout": "nanodt"}, "did you mean 'nanodet'"),
        ({"outputs": {"scores": "cls"}}, "must name scores, distances"),
    ],
)
def test_a_section_that_cannot_work_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        spec(**changes)


def greedy_suppression(
    boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, iou: float
) -> list[int]:
    kept: list[int] = []
    overlap = box_iou(boxes, boxes)
    for row in np.argsort(-scores, kind="stable"):
        if all(labels[row] != labels[k] or overlap[row, k] <= iou for k in kept):
            kept.append(int(row))
    return kept


@given(st.integers(0, 2**32 - 1), st.integers(0, 60), st.floats(0.1, 0.9))
def test_suppression_keeps_the_best_of_each_class(seed: int, count: int, iou: float) -> None:
    random = np.random.default_rng(seed)
    corner = random.integers(0, 40, (count, 2))
    boxes = np.concatenate((corner, corner + random.integers(1, 40, (count, 2))), axis=1)
    boxes = boxes.astype(np.float32)
    scores = random.permutation(count).astype(np.float32) / 100 + 0.01
    labels = random.integers(0, 3, count)
    assume(np.abs(box_iou(boxes, boxes) - iou).min(initial=1) > 1e-5)  # rounding may not decide
    kept = suppress(boxes, scores, labels, iou)
    assert list(kept) == greedy_suppression(boxes, scores, labels, iou)
