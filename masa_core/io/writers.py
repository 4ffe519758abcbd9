"""What every writer of results does, and the two text formats."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol

from masa_core.io.atomic import AtomicText
from masa_core.io.coco_rle import to_coco_rle
from masa_core.io.source import SourceFrame
from masa_core.structures import Tracks, TrackState


class ResultWriter(Protocol):
    """Takes tracks frame by frame. The result appears, whole, with `close`; or not at all."""

    path: Path

    def write(self, frame: SourceFrame, tracks: Tracks) -> None:
        """Add the tracks of one frame. Frames come in the order of the source."""
        ...

    def close(self) -> None:
        """Finish the result and put it in its place, over what was there."""
        ...

    def discard(self) -> None:
        """Throw away what was written; what was at `path` before stays."""
        ...


def class_name(label: int, classes: Sequence[str]) -> str:
    """Name of a label; "object" where the detector has no classes."""
    return classes[label] if 0 <= label < len(classes) else "object"


class MotWriter:
    """MOTChallenge text: frame, id, left, top, width, height, score, -1, -1, -1.

    Frames count from 1 and keep their place where one before them could not be read. Ids are the
    tracker's and boxes the detector's (the corner of the image is 0, 0), not shifted by one.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = AtomicText(path)

    def write(self, frame: SourceFrame, tracks: Tracks) -> None:
        rows = zip(tracks.ids.tolist(), tracks.boxes.tolist(), tracks.scores.tolist(), strict=True)
        self._file.write(
            "".join(
                f"{frame.index + 1},{track_id},{x1:.3f},{y1:.3f},{x2 - x1:.3f},{y2 - y1:.3f},"
                f"{score:.6g},-1,-1,-1\n"
                for track_id, (x1, y1, x2, y2), score in rows
            )
        )

    def close(self) -> None:
        self._file.commit()

    def discard(self) -> None:
        self._file.discard()


class ScalabelWriter:
    """Scalabel JSON, the format of BDD100K: one entry for each frame, also without tracks.

    `box2d` holds the edges of the box, x2 and y2 not reduced by one; `rle` the mask, as COCO's
    compressed run lengths. `timestamp` is in milliseconds as the format wants it; the exact stamp
    is `attributes.stamp_ns` of the frame. Written frame by frame: memory does not grow.
    """

    def __init__(self, path: Path, video: str, classes: Sequence[str]) -> None:
        self.path = path
        self._video = video
        self._classes = classes
        self._file = AtomicText(path)
        self._separator = '{"frames": [\n'

    def write(self, frame: SourceFrame, tracks: Tracks) -> None:
        height, width = frame.image.shape[:2]
        entry = {
            "name": frame.name,
            "videoName": self._video,
            "frameIndex": frame.index,
            "timestamp": frame.stamp_ns // 1_000_000,
            "attributes": {"stamp_ns": str(frame.stamp_ns)},
            "size": {"width": width, "height": height},
            "labels": [self._label(tracks, row, height, width) for row in range(len(tracks))],
        }
        self._file.write(self._separator + json.dumps(entry))
        self._separator = ",\n"

    def _label(self, tracks: Tracks, row: int, height: int, width: int) -> dict[str, Any]:
        edges = (round(edge, 3) for edge in tracks.boxes[row].tolist())
        label = {
            "id": str(tracks.ids[row]),
            "category": class_name(int(tracks.labels[row]), self._classes),
            "score": round(float(tracks.scores[row]), 6),
            "attributes": {"state": TrackState(int(tracks.states[row])).name.lower()},
            "box2d": dict(zip(("x1", "y1", "x2", "y2"), edges, strict=True)),
        }
        if tracks.masks is not None:
            label["rle"] = to_coco_rle(tracks.masks[row], height, width)
        return label

    def close(self) -> None:
        if self._separator != ",\n":  # no frame yet
            self._file.write(self._separator)
        categories = [{"name": name} for name in self._classes or ("object",)]
        config = json.dumps({"categories": categories})
        self._file.write(f'\n], "groups": null, "config": {config}}}\n')
        self._file.commit()

    def discard(self) -> None:
        self._file.discard()
