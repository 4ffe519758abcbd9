"""What never came is counted once, whoever tells of it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from masa_ros.sequence_gaps import SequenceGaps


def message(number: int, publisher: bytes = b"a") -> dict[str, Any]:
    return {"publication_sequence_number": number, "publisher_gid": {"data": publisher}}


def test_gaps_are_counted_by_publisher() -> None:
    lost: list[int] = []
    gaps = SequenceGaps(lost.append)
    for number in (7, 8, 11):  # joined at 7
        gaps.on_message(message(number))
    gaps.on_message(message(1, b"b"))
    gaps.on_message(message(12))
    gaps.on_message(message(3, b"b"))
    assert lost == [2, 1]
    gaps.on_event(SimpleNamespace(total_count_change=2))
    assert lost == [2, 1], "the same ones are not counted again"


def test_without_numbers_the_middleware_is_believed() -> None:
    lost: list[int] = []
    gaps = SequenceGaps(lost.append)
    gaps.on_message({"source_timestamp": 1})
    gaps.on_message({"publication_sequence_number": None, "publisher_gid": None})
    gaps.on_event(SimpleNamespace(total_count_change=2))
    assert lost == [2]
