"""Copying the messages of a bag into a new one, up to a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from rosbags.interfaces import Connection, ConnectionExtRosbag2
from rosbags.rosbag2 import Writer

from masa_core.io.bag import BagMessage, BagReader
from masa_core.io.source import SourceError


class BagCopy:
    """All topics of a bag but one, as they were recorded.

    without: name of a topic to leave out. `not_copied` tells why a topic could not be copied.
    """

    def __init__(self, path: Path, writer: Writer, without: str) -> None:
        self.not_copied: dict[str, str] = {}
        self._writer = writer
        self._reader = BagReader(path)
        self._copies: dict[tuple[str, str], Connection] = {}
        for connection in self._reader.connections:
            if connection.topic == without:
                self.not_copied[without] = "the new tracks have its name"
            else:
                self._add(connection)
        self._pending = self._messages()
        self._next = next(self._pending, None)

    def until(self, received_ns: int | None) -> None:
        """Copies what was recorded up to a time and is not copied yet; all if it is None.

        Raises SourceError for a damaged bag.
        """
        while self._next and (received_ns is None or self._next.received_ns <= received_ns):
            message = self._next
            connection = self._copies[message.topic, message.type]
            self._writer.write(connection, message.received_ns, message.raw)
            self._next = next(self._pending, None)

    def close(self) -> None:
        self._reader.close()

    def _add(self, connection: Connection) -> None:
        key = (connection.topic, connection.msgtype)
        if key in self._copies:  # another publisher of the same topic
            return
        qos = connection.ext
        try:
            self._reader.know(connection.msgtype)
        except SourceError as error:
            self.not_copied[connection.topic] = str(error)
            return
        self._copies[key] = self._writer.add_connection(
            *key,
            typestore=self._reader.typestore,
            offered_qos_profiles=(
                qos.offered_qos_profiles if isinstance(qos, ConnectionExtRosbag2) else ()
            ),
        )

    def _messages(self) -> Iterator[BagMessage]:
        topics = {topic for topic, _ in self._copies}
        return self._reader.messages(*topics) if topics else iter(())
