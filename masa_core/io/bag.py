"""Reading rosbag2 recordings without ROS, through `rosbags`."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

from rosbags.interfaces import Connection, MessageDefinitionFormat
from rosbags.rosbag2 import Reader
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from masa_core.assets import share_path
from masa_core.io.source import BAG_SUFFIXES, SourceError


class BagMessage(NamedTuple):
    """One recorded message, not yet decoded."""

    topic: str
    type: str  # such as "sensor_msgs/msg/Image"
    received_ns: int  # when it was recorded
    raw: bytes  # CDR


class BagReader:
    """Topics and messages of a rosbag2: its folder, or one of its .mcap or .db3 files.

    topics: message type of each topic that has messages. counts: number of messages of each.

    Raises SourceError, with one sentence for the user, wherever the recording cannot be read.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self.typestore = bag_typestore()
        self._reader = _open(self.path)
        self.topics: dict[str, str] = {}
        self.counts: dict[str, int] = {}
        for connection in self.connections:
            if connection.msgcount:
                self.topics[connection.topic] = connection.msgtype
                count = self.counts.get(connection.topic, 0)
                self.counts[connection.topic] = count + connection.msgcount

    @property
    def connections(self) -> list[Connection]:
        return list(self._reader.connections)

    def messages(self, *topics: str) -> Iterator[BagMessage]:
        """Messages of the given topics, of all if none is given, in order of recording."""
        wanted = [c for c in self.connections if not topics or c.topic in topics]
        stream = self._reader.messages(wanted) if wanted else iter(())  # to rosbags, [] is all
        while True:
            try:
                item = next(stream, None)
            except Exception as error:  # damaged files fail in the parsers in any number of ways
                raise SourceError(f"{self.path} is damaged: {_reason(error)}") from error
            if item is None:
                return
            connection, received_ns, raw = item
            yield BagMessage(connection.topic, connection.msgtype, received_ns, raw)

    def decode(self, message: BagMessage) -> Any:
        """The message, an object with the fields of its type. Raises SourceError."""
        self.know(message.type)
        try:
            return self.typestore.deserialize_cdr(message.raw, message.type)
        except Exception as error:  # as above
            text = f"{message.topic} holds a damaged {message.type}: {_reason(error)}"
            raise SourceError(text) from error

    def know(self, kind: str) -> None:
        """Takes a type that the typestore lacks from the bag. Raises SourceError without one."""
        if kind in self.typestore.types:
            return
        for connection in self.connections:
            definition = connection.msgdef
            if connection.msgtype == kind and definition.format == MessageDefinitionFormat.MSG:
                try:
                    self.typestore.register(get_types_from_msg(definition.data, kind))
                except Exception as error:  # as above
                    text = f"{self.path} defines {kind} wrongly: {_reason(error)}"
                    raise SourceError(text) from error
                return
        raise SourceError(f"{self.path} does not say how {kind} is defined")

    def close(self) -> None:
        self._reader.close()

    def __enter__(self) -> BagReader:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def bag_typestore() -> Typestore:
    """A new store of the common ROS 2 messages and of those of this package."""
    store = get_typestore(Stores.ROS2_HUMBLE)  # the oldest supported; later ones only add types
    types: dict[str, Any] = {}
    for file in sorted(share_path("msg").glob("*.msg")):
        types.update(get_types_from_msg(file.read_text(), f"masa_ros/msg/{file.stem}"))
    store.register(types)
    return store


def _open(path: Path) -> Reader:
    storage = _storage(path)
    try:
        reader = Reader(storage)
        reader.open()
    except Exception as error:  # as in BagReader.messages
        raise SourceError(f"{path} cannot be read as a rosbag2: {_reason(error)}") from error
    return reader


def _storage(path: Path) -> Path:
    """What to open: the folder, or its only file where the recorder did not write metadata.yaml."""
    if not path.exists():
        raise SourceError(f"{path} does not exist")
    files = [path]
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in BAG_SUFFIXES)
    for file in files:
        if file.suffix == ".db3" and set(str(file)) & set("?#%"):  # rosbags makes a URI of it
            raise SourceError(f"{file}: a sqlite3 bag cannot be read with ?, # or % in its path")
    if path.is_file() or (path / "metadata.yaml").exists():
        return path
    if not files:
        raise SourceError(f"{path} is no rosbag2: no metadata.yaml and no .mcap or .db3 file in it")
    if len(files) > 1:
        raise SourceError(f"{path} has no metadata.yaml: `ros2 bag reindex {path}` writes it")
    return files[0]


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    if "end magic" in text:
        text += " (the recording was cut off; `mcap recover` saves what is there)"
    return text
