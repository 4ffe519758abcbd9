"""A new rosbag2 (mcap) with the tracks, with or without the messages that they were made from."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from rosbags.rosbag2 import StoragePlugin, Writer

from masa_core.io.bag import bag_typestore
from masa_core.io.bag_copy import BagCopy
from masa_core.io.class_names import ClassNames
from masa_core.io.source import SourceFrame
from masa_core.io.track_messages import TRACK_ARRAY, TrackMessages
from masa_core.structures import Tracks

TRACKS_TOPIC = "/masa/tracks"


class BagWriter:
    """Writes a TrackArray for each frame, with the stamp and frame_id of its image.

    copy_from: a bag whose messages go into the new one too, those up to a frame before its tracks;
    `copy_rest` takes what is left. `not_copied` tells why a topic could not be copied.
    The bag is made in a hidden folder beside `path` and gets its name at the end.

    Raises FileExistsError where there is something at `path`: a bag is never written over.
    """

    def __init__(
        self, path: Path, names: ClassNames, model: str, copy_from: Path | None = None
    ) -> None:
        if path.exists():
            raise FileExistsError(f"{path} exists; a bag is not written over")
        self.path = path
        self._typestore = bag_typestore()
        self._messages = TrackMessages(self._typestore.types, names, model)
        # rosbags names the file inside after the folder: it must have its name from the start.
        self._folder = path.with_name(f".{path.name}.part-{os.getpid()}")
        self._writer = Writer(
            self._folder / path.name,
            version=8,  # the newest that Humble reads
            storage_plugin=StoragePlugin.MCAP,
        )
        self._writer.open()
        self._tracks = self._writer.add_connection(
            TRACKS_TOPIC, TRACK_ARRAY, typestore=self._typestore
        )
        self._copy: BagCopy | None = None
        if copy_from is not None:
            try:
                self._copy = BagCopy(copy_from, self._writer, without=TRACKS_TOPIC)
            except BaseException:
                self.discard()
                raise

    @property
    def not_copied(self) -> dict[str, str]:
        return {} if self._copy is None else self._copy.not_copied

    def write(self, frame: SourceFrame, tracks: Tracks) -> None:
        received_ns = frame.stamp_ns if frame.received_ns is None else frame.received_ns
        if self._copy is not None:
            self._copy.until(received_ns)
        message = self._messages.message(tracks, frame.stamp_ns, frame.frame_id, frame.epoch)
        raw = self._typestore.serialize_cdr(message, TRACK_ARRAY)
        self._writer.write(self._tracks, received_ns, raw)

    def copy_rest(self) -> None:
        """Copy what was recorded after the last frame. Raises SourceError for a damaged bag."""
        if self._copy is not None:
            self._copy.until(None)

    def close(self) -> None:
        try:
            self._writer.close()
            os.replace(self._folder / self.path.name, self.path)
        finally:
            self._clean_up()

    def discard(self) -> None:
        try:
            self._writer.close()
        finally:
            self._clean_up()

    def _clean_up(self) -> None:
        if self._copy is not None:
            self._copy.close()
        shutil.rmtree(self._folder, ignore_errors=True)
