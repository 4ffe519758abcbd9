"""Detections that others send: what can be used is used, what cannot is named."""

from __future__ import annotations

import math
from types import SimpleNamespace as Message
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masa_core.io.class_names import MAX_NAMES, ClassNames
from masa_core.io.detection_messages import (
    MAX_DETECTIONS,
    Row,
    masa_rows,
    usable_detections,
    vision_rows,
)
from masa_core.masks import encode_mask

HEIGHT, WIDTH = 48, 64
NO_MASK = Message(x=0, y=0, width=0, height=0, runs=b"")


def row(box: Any = (1, 2, 11, 12), score: float = 0.5, class_id: str = "car", **more: Any) -> Row:
    return Row(tuple(map(float, box)), score, class_id, more.get("label", 3), more.get("mask"))


def used(rows: list[Row], **options: Any) -> Any:
    names = options.pop("names", ClassNames())
    return usable_detections(rows, HEIGHT, WIDTH, names, **options)


def test_masa_detections_are_read() -> None:
    one = Message(x_min=1.0, y_min=2.0, x_max=11.0, y_max=12.0, score=0.5, class_id="car", label=3)
    one.mask = NO_MASK
    assert masa_rows(Message(detections=[one])) == [row(mask=NO_MASK)]


def test_vision_detections_are_read_with_their_best_hypothesis() -> None:
    def result(class_id: str, score: float) -> Message:
        return Message(hypothesis=Message(class_id=class_id, score=score))

    box = Message(
        center=Message(position=Message(x=6.0, y=7.0), theta=0.0), size_x=10.0, size_y=10.0
    )
    message = Message(
        detections=[
            Message(bbox=box, results=[result("dog", 0.2), result("car", 0.5), result("cat", 0.3)]),
            Message(bbox=box, results=[]),
        ]
    )
    assert vision_rows(message) == [row(label=-1), row(score=1.0, class_id="", label=-1)]


@pytest.mark.parametrize(
    ("bad", "cause"),
    [
        (row(box=(math.nan, 2, 11, 12)), "not a finite number"),
        (row(box=(1, 2, math.inf, 12)), "not a finite number"),
        (row(box=(1, 2, 1e300, 12)), "not a finite number"),  # more than a float32 holds
        (row(score=math.nan), "not a finite number"),
        (row(score=73.0), "score outside of 0..1"),
        (row(score=-0.1), "score outside of 0..1"),
        (row(box=(11, 2, 1, 12)), "box without an area"),
        (row(box=(1, 2, 1, 12)), "box without an area"),
        (row(box=(64, 2, 70, 12)), "box outside of the image"),
        (row(box=(-9, -9, 0, -1)), "box outside of the image"),
    ],
)
def test_a_bad_row_is_named_and_the_good_ones_beside_it_are_used(bad: Row, cause: str) -> None:
    detections, ignored = used([row(score=0.1), bad, row(score=0.2)])
    assert detections.scores.tolist() == pytest.approx([0.1, 0.2])
    assert +ignored == {f"detections: {cause}": 1}


def test_a_box_that_reaches_out_of_the_image_is_kept_as_it_is() -> None:
    detections, ignored = used([row(box=(-5, -5, 70, 50))])
    assert detections.boxes.tolist() == [[-5, -5, 70, 50]] and not +ignored


def test_of_too_many_the_best_are_used_in_their_order() -> None:
    rows = [row(score=i / 2000) for i in range(MAX_DETECTIONS + 5)]
    detections, ignored = used(rows)
    assert len(detections) == MAX_DETECTIONS and ignored["detections: too many"] == 5
    assert detections.scores[0] == pytest.approx(5 / 2000)
    assert (np.diff(detections.scores) > 0).all()


def test_masks_come_along_and_those_that_do_not_fit_are_emptied() -> None:
    good = encode_mask(np.ones((4, 5), bool), 1, 2)
    masks = [
        good,
        Message(x=0, y=0, width=4, height=4, runs=b"\x03"),  # too few pixels
        Message(x=0, y=0, width=WIDTH + 1, height=1, runs=b"\x41"),  # wider than the image
        Message(x=0, y=0, width=2**32 - 1, height=2**32 - 1, runs=b"\x80"),
        NO_MASK,
    ]
    detections, ignored = used([row(mask=mask) for mask in masks])
    assert detections.masks[0] == good
    assert [mask.width for mask in detections.masks] == [5, 0, 0, 0, 0]
    assert +ignored == {"detections: mask does not fit": 3}


def test_without_any_mask_there_are_none() -> None:
    assert used([row(mask=NO_MASK)])[0].masks is None


def test_classes_are_chosen_by_name() -> None:
    rows = [row(class_id="car"), row(class_id="dog")]
    names = ClassNames()
    detections, _ = used(rows, names=names, classes=["dog"])
    assert [names.name(label) for label in detections.labels] == [("dog", 3)]
    assert len(used(rows, classes=["cat"])[0]) == 0


def test_names_come_out_as_they_came_in() -> None:
    names = ClassNames()
    detections, _ = used([row(class_id="car", label=-1), row(class_id="", label=7)], names=names)
    assert [names.name(label) for label in detections.labels] == [("car", -1), ("", 7)]
    assert names.words == ["car", "7"]


def test_endless_names_do_not_fill_the_memory() -> None:
    names = ClassNames(["car"])
    assert names.number("car", 0) == 0
    for number in range(2 * MAX_NAMES):
        last = names.number(f"car {number}", 0)
    assert last == -1 and len(names.words) == MAX_NAMES and names.name(-1) == ("", -1)


ANY = st.floats(width=32, allow_nan=True, allow_infinity=True)


@given(st.lists(st.tuples(st.tuples(ANY, ANY, ANY, ANY), ANY), max_size=20))
def test_any_rows_give_usable_detections(values: list[Any]) -> None:
    detections, ignored = used([row(box=box, score=score) for box, score in values])
    assert len(detections) + sum(ignored.values()) == len(values)
    x1, y1, x2, y2 = detections.boxes.T
    assert (x1 < x2).all() and (y1 < y2).all()
    assert (x1 < WIDTH).all() and (y1 < HEIGHT).all() and (x2 > 0).all() and (y2 > 0).all()
    assert ((detections.scores >= 0) & (detections.scores <= 1)).all()
