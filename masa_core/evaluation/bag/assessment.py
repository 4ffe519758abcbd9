"""The assessment of a run: figures.json, and what the page is made from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from masa_core.evaluation.bag.answers import Answer, answers_at
from masa_core.evaluation.bag.baseline import FORMAT
from masa_core.evaluation.bag.camera import Camera
from masa_core.evaluation.bag.events import Events, find_events
from masa_core.evaluation.bag.run import Run
from masa_core.evaluation.bag.scoring import Classes, score
from masa_core.evaluation.bag.truth import Truth
from masa_core.evaluation.report import plain


@dataclass(frozen=True)
class Assessment:
    """report: what figures.json holds. answers: to each labelled frame."""

    camera: Camera
    truth: Truth
    run: Run
    answers: list[Answer]
    events: Events
    report: dict[str, Any]

    @property
    def times_s(self) -> list[float]:
        """Of the labelled frames, from the first image of the bag."""
        first_ns = int(self.camera.stamps_ns.min())
        return [(stamp_ns - first_ns) * 1e-9 for stamp_ns in self.truth.stamps_ns]


def assess(
    camera: Camera,
    truth: Truth,
    run: Run,
    renamed: Mapping[str, str],
    hashes: Mapping[str, str],
) -> Assessment:
    """Scores a run. renamed: see `Classes`. hashes: SHA-256 of bag and truth.

    Raises as `masa_core.evaluation.evaluate`.
    """
    classes = Classes(truth, renamed)
    answers = answers_at(truth, run.by_image)
    events = find_events(truth, answers, classes)
    left_out = classes.left_out(answers)
    losses = [*truth.losses, *run.losses]
    if left_out:
        losses.append(f"tracks of classes that the truth does not label: {_counted(left_out)}")
    report = {
        "format": FORMAT,
        "mode": run.mode,
        "drive": {
            "bag": camera.bag.name,
            "topic": camera.topic,
            "seconds": camera.seconds,
            "images": len(camera.stamps_ns),
            "images_per_s": 1e9 / max(camera.period_ns, 1),
            "truth": truth.name,
            "truth_stamps": truth.clock,
        },
        "frames": {
            "labelled": len(truth.frames) + len(truth.unmatched),
            "scored": len(truth.frames),
            "answered": sum(image in run.by_image for image in truth.images),
            "labels_without_image": truth.unmatched,
        },
        "figures": score(truth, answers, classes),
        "events": {
            "objects": len(events.objects),
            "switches": len(events.switches),
            "fragments": len(events.gaps),
        },
        "losses": losses,
        "configuration": {**run.configuration, "rename": dict(renamed)},
        "sha256": {**hashes, "model": run.model_sha256},
        "speed": run.speed,
    }
    if run.timings:
        report["live"] = _live(run)
    return Assessment(camera, truth, run, answers, events, plain(report))


def _live(run: Run) -> dict[str, Any]:
    latencies_s = [item.latency_s for item in run.timings if item.latency_s is not None]
    late = sum(s > run.deadline_s for s in latencies_s) if run.deadline_s else 0
    percentiles = {}
    if latencies_s:
        values = np.percentile(latencies_s, (50, 90, 99, 100)) * 1e3
        names = ("p50_ms", "p90_ms", "p99_ms", "max_ms")
        percentiles = dict(zip(names, values.tolist(), strict=True))
    return {
        "images_played": len(run.timings),
        "answered_in_time": len(latencies_s) - late,
        "answered_late": late,
        "never_answered": len(run.timings) - len(latencies_s),
        "lost_by_cause": run.lost,
        "deadline_s": run.deadline_s,
        "latency": percentiles,
    }


def _counted(counts: Counter[str]) -> str:
    named = ", ".join(f"{count} of {name}" for name, count in counts.most_common(5))
    return named + (", ..." if len(counts) > 5 else "")
