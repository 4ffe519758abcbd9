"""One run of a tracker over a drive: what came of it, and how it was made."""

from __future__ import annotations

import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from masa_core.evaluation.bag.answers import Answer, answer_of
from masa_core.io.joined import GivenDetections, joined
from masa_core.io.source import Source
from masa_core.pipeline import MasaPipeline


@dataclass(frozen=True)
class ImageTiming:
    """One image of a run in real time. played_s: since the first. latency_s: from its publication
    to the arrival of its tracks; None where they never came."""

    played_s: float
    latency_s: float | None


@dataclass(frozen=True)
class Run:
    """mode: "offline" or "live". by_image: tracks of labelled images, by their index in the bag.
    configuration: of model, tracker and detections. model_sha256: None where it is not known.
    losses: what was left out, in sentences. speed: of the work, for people.

    Of live runs: `timings` of every image, `deadline_s` after which tracks were not counted, and
    `lost`, images that the node says it gave up, by cause.
    """

    mode: str
    by_image: dict[int, Answer]
    configuration: dict[str, Any]
    model_sha256: str | None
    losses: list[str]
    speed: dict[str, float] = field(default_factory=dict)
    timings: list[ImageTiming] = field(default_factory=list)
    deadline_s: float | None = None
    lost: dict[str, int] = field(default_factory=dict)


def track_offline(
    source: Source,
    pipeline: MasaPipeline,
    words: Sequence[str],
    detections: GivenDetections | None,
    labelled: Collection[int],
    progress: bool | None,
) -> tuple[dict[int, Answer], dict[str, float]]:
    """Tracks every frame, as fast as it goes: the answers to the labelled ones, and the speed.

    words: names of the labels; they may grow on the way. progress: show a bar; None where there
    is a terminal. Frames that the detections do not know are left out, and counted in the source.
    Raises SourceError where the source breaks, ModelError where the model does.
    """
    from tqdm import tqdm

    wanted, answers, steps_s = set(labelled), {}, []
    begin = time.perf_counter()
    hide = None if progress is None else not progress
    work = joined(source, detections)
    for frame, found in tqdm(work, total=source.length, unit="frame", disable=hide):
        step = time.perf_counter()
        tracks = pipeline.step(frame.image, frame.stamp_ns, found, frame.epoch)
        steps_s.append(time.perf_counter() - step)
        if frame.index in wanted:
            answers[frame.index] = answer_of(tracks, words, frame.epoch)
    if not steps_s:
        return answers, {}
    p50, p99 = np.percentile(steps_s, (50, 99)) * 1e3
    return answers, {
        "frames_per_s": len(steps_s) / (time.perf_counter() - begin),
        "step_p50_ms": float(p50),
        "step_p99_ms": float(p99),
    }
