"""What happened in a run, counted from the bag that was recorded."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from masa_core.io.bag import BagReader
from masa_core.io.bag_writer import TRACKS_TOPIC
from masa_core.io.message_stamps import header_stamp_ns
from masa_core.io.track_messages import tracks_of
from masa_core.structures import Tracks

DIAGNOSTICS_TOPIC = "/diagnostics"
_LOST = "lost: "  # with the cause, a key of the node's diagnostics


@dataclass
class Recording:
    """What a recorded bag holds of a run.

    tracks: of each image, by its stamp. lost: images that the node says it dropped, by cause.
    """

    tracks: dict[int, Tracks] = field(default_factory=dict)
    latency_ns: list[int] = field(default_factory=list)  # image stamp to arrival of the tracks
    received_ns: list[int] = field(default_factory=list)
    classes: dict[int, str] = field(default_factory=dict)  # name of each label
    lost: dict[str, int] = field(default_factory=dict)

    def class_names(self) -> list[str]:
        """Names by label; empty for labels that were not seen."""
        return [self.classes.get(label, "") for label in range(max(self.classes, default=-1) + 1)]


def read_recording(bag: Path) -> Recording:
    """Raises SourceError where the bag cannot be read."""
    recording = Recording()
    with BagReader(bag) as reader:
        for message in reader.messages(TRACKS_TOPIC, DIAGNOSTICS_TOPIC):
            content = reader.decode(message)
            if message.topic == DIAGNOSTICS_TOPIC:
                recording.lost = lost_by_cause(content)  # from the start on: the last has all
                continue
            stamp_ns = header_stamp_ns(content)
            recording.tracks[stamp_ns] = tracks_of(content)
            recording.latency_ns.append(message.received_ns - stamp_ns)
            recording.received_ns.append(message.received_ns)
            recording.classes.update((track.label, track.class_id) for track in content.tracks)
    recording.classes.pop(-1, None)
    return recording


def lost_by_cause(diagnostics: Any) -> dict[str, int]:
    """Images that a node gave up since it started, of a message on /diagnostics."""
    pairs = [pair for status in diagnostics.status for pair in status.values]
    return {p.key[len(_LOST) :]: int(p.value) for p in pairs if p.key.startswith(_LOST)}


@dataclass(frozen=True)
class Report:
    """The figures of one run.

    lost: frames that were sent and not answered, by cause. fps: processed, from the first image's
    stamp to the last tracks. Latency: from an image's stamp to the arrival of its tracks.
    """

    drive: str
    frames_sent: int
    frames_processed: int
    lost: dict[str, int]
    fps: float
    latency_p50_ms: float
    latency_p99_ms: float
    tracks: int
    ids: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def __str__(self) -> str:
        lost = sum(self.lost.values())
        causes = ", ".join(f"{count} {cause}" for cause, count in self.lost.items() if count)
        rows = (
            ("drive", self.drive),
            ("frames sent", f"{self.frames_sent}"),
            ("frames processed", f"{self.frames_processed}"),
            ("frames lost", f"{lost} ({causes})" if lost else "0"),
            ("rate", f"{self.fps:.1f} fps"),
            ("latency p50", f"{self.latency_p50_ms:.0f} ms from image stamp to tracks"),
            ("latency p99", f"{self.latency_p99_ms:.0f} ms"),
            ("tracks", f"{self.tracks} boxes, {self.tracks / self.frames_processed:.1f} a frame"),
            ("ids", f"{self.ids}"),
        )
        return "\n".join(f"{name:<18}{value}" for name, value in rows)


def make_report(drive: str, sent: int, recording: Recording) -> Report:
    """What is missing and was not dropped by the node got lost on the way.

    Raises ValueError where there is not a single answer.
    """
    processed = len(recording.received_ns)
    if processed == 0:
        raise ValueError("no tracks were recorded")
    lost = dict(recording.lost)
    elsewhere = sent - processed - sum(lost.values())
    if elsewhere:
        lost["on the way"] = elsewhere
    seconds = (recording.received_ns[-1] - min(recording.tracks)) / 1e9
    p50, p99 = np.percentile(recording.latency_ns, (50, 99)) / 1e6
    ids = {id_ for tracks in recording.tracks.values() for id_ in tracks.ids.tolist()}
    return Report(
        drive=drive,
        frames_sent=sent,
        frames_processed=processed,
        lost=lost,
        fps=processed / seconds,
        latency_p50_ms=float(p50),
        latency_p99_ms=float(p99),
        tracks=sum(map(len, recording.tracks.values())),
        ids=len(ids),
    )
