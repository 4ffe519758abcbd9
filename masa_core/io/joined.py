"""Frames of a source, joined with detections from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from masa_core.io.class_names import ClassNames
from masa_core.io.source import Source, SourceFrame
from masa_core.structures import Detections


class GivenDetections(Protocol):
    """names: of the labels. They may be learned on the way."""

    names: ClassNames

    def at(self, frame: SourceFrame) -> Detections | None:
        """What is to be tracked in a frame; None where the frame is to be left out."""
        ...

    def losses(self, source_ended: bool) -> list[str]:
        """What could not be used, in sentences. source_ended: whether every frame was asked for."""
        ...

    def close(self) -> None: ...


def joined(
    source: Source, detections: GivenDetections | None
) -> Iterator[tuple[SourceFrame, Detections | None]]:
    """The frames with what is to be tracked in them, None where the model is to find it.

    Frames that the detections do not know are left out, and counted in the source.
    """
    for frame in source:
        found = None
        if detections is not None:
            found = detections.at(frame)
            if found is None:
                text = f"no message has the stamp of frame {frame.name}"
                source.count_unreadable("no detections", text)
                continue
        yield frame, found
