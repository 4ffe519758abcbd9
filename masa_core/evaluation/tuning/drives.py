"""The bags that parameters are tuned on, and what a configuration scores on one of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from masa_core.evaluation.bag.answers import Answer, answer_of, answers_at
from masa_core.evaluation.bag.scoring import Classes, score_objects
from masa_core.evaluation.bag.truth import Truth
from masa_core.evaluation.tuning.cache import read_classes, read_frames
from masa_core.io.epochs import Epochs
from masa_core.tracking import Tracker, TrackerConfig

# Figure -> its family. They are of all objects as one class: what a tracker decides is identity.
OBJECTIVES = {"HOTA": "HOTA", "AssA": "HOTA", "IDF1": "CLEAR", "MOTA": "CLEAR"}


@dataclass(frozen=True)
class TuningDrive:
    """name: unique among the bags. cache: see `tuning.cache`. sha256: of bag, truth and model."""

    name: str
    truth: Truth
    classes: Classes
    cache: Path
    sha256: Mapping[str, str | None]

    def score(self, config: TrackerConfig, objective: str) -> float:
        """The figure of a new tracker with this configuration, in percent."""
        tracker = Tracker(config)
        words, wanted = read_classes(self.cache), set(self.truth.images)
        by_image: dict[int, Answer] = {}
        epochs, last = Epochs(), 0
        for frame in read_frames(self.cache):
            epoch = epochs.of(frame.stamp_ns)
            if epoch != last:
                tracker.reset()
                last = epoch
            tracks = tracker.update(
                frame.detections, frame.embeddings, frame.stamp_ns, frame.camera_motion
            )
            if frame.image in wanted:
                by_image[frame.image] = answer_of(tracks, words, epoch)
        family = OBJECTIVES[objective]
        answers = answers_at(self.truth, by_image)
        section = score_objects(self.truth, answers, self.classes, [family])
        return float(section["figures"][family][objective])
