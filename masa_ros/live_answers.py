"""What a recording holds of a run in real time: the answer to each image, and when it came."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from masa_core.evaluation.bag.answers import Answer
from masa_core.evaluation.bag.camera import Camera
from masa_core.evaluation.bag.run import ImageTiming
from masa_core.io.bag import BagReader
from masa_core.io.message_stamps import header_stamp_ns
from masa_core.io.track_messages import tracks_of
from masa_ros.demo_report import DIAGNOSTICS_TOPIC, lost_by_cause


@dataclass(frozen=True)
class LiveAnswers:
    """by_image: answers to labelled images that came before the deadline. timings: of every image.
    lost: images that the node gave up meanwhile, by cause. strangers: answers to other stamps."""

    by_image: dict[int, Answer]
    timings: list[ImageTiming]
    lost: dict[str, int]
    strangers: int


def read_answers(
    recording: Path,
    tracks_topic: str,
    camera: Camera,
    published_ns: list[int],
    labelled: Collection[int],
    deadline_s: float,
) -> LiveAnswers:
    """published_ns: when each image of the camera was published. Raises SourceError."""
    index_of = {stamp_ns: index for index, stamp_ns in enumerate(camera.stamps_ns.tolist())}
    wanted = set(labelled)
    by_image: dict[int, Answer] = {}
    latencies_s: dict[int, float] = {}
    strangers = 0
    counts: list[dict[str, int]] = []
    with BagReader(recording) as reader:
        for message in reader.messages(tracks_topic, DIAGNOSTICS_TOPIC):
            content = reader.decode(message)
            if message.topic == DIAGNOSTICS_TOPIC:
                counts = [*counts[:1], lost_by_cause(content)]  # the first and the last
                continue
            index = index_of.get(header_stamp_ns(content), -1)
            if not 0 <= index < len(published_ns):
                strangers += 1
                continue
            latencies_s[index] = (message.received_ns - published_ns[index]) * 1e-9
            if index in wanted and latencies_s[index] <= deadline_s:
                by_image[index] = _answer(content)
    first_ns = published_ns[0]
    timings = [
        ImageTiming((wall_ns - first_ns) * 1e-9, latencies_s.get(index))
        for index, wall_ns in enumerate(published_ns)
    ]
    return LiveAnswers(by_image, timings, _difference(counts), strangers)


def _answer(message: Any) -> Answer:
    """Ids begin anew in each epoch: from the second on they are written "epoch.id"."""
    epoch = f"{message.epoch}." if message.epoch else ""
    return Answer(
        [f"{epoch}{track.id}" for track in message.tracks],
        [track.class_id or str(max(track.label, 0)) for track in message.tracks],
        [[track.x_min, track.y_min, track.x_max, track.y_max] for track in message.tracks],
        [track.score for track in message.tracks],
        tracks_of(message).masks,
    )


def _difference(counts: list[dict[str, int]]) -> dict[str, int]:
    if not counts:
        return {}
    first = counts[0] if len(counts) > 1 else {}
    more = {cause: count - first.get(cause, 0) for cause, count in counts[-1].items()}
    return {cause: count for cause, count in more.items() if count}
