"""Messages that were published and never came, found by the numbers that they carry."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any


class SequenceGaps:
    """Counts what is missing between the messages of each publisher.

    The middleware's own event of a lost message says nothing of those that newer ones pushed out
    of a subscription's full history, which is how a busy process loses them. It is believed where
    messages carry no number (Humble, some middleware).

    lost: called with how many are missing, when there are any.
    """

    def __init__(self, lost: Callable[[int], None]) -> None:
        self._lost = lost
        self._newest: dict[bytes, int] = {}  # number of the last message, by publisher

    def on_message(self, info: Mapping[str, Any]) -> None:
        """info: rclpy's, of a message that came. The first of a publisher is where one joined."""
        number, publisher = info.get("publication_sequence_number"), info.get("publisher_gid")
        if number is None or publisher is None:
            return
        key = bytes(publisher["data"])
        missing = number - self._newest.get(key, number) - 1
        self._newest[key] = number
        if missing > 0:
            self._lost(missing)

    def on_event(self, event: Any) -> None:
        """event: rclpy's, of lost messages."""
        if not self._newest:
            self._lost(event.total_count_change)
