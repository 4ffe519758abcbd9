"""BDD100K boxes by TrackEval's own data set, which differs from the benchmark's evaluator.

Crowds and distractors are ignore regions, boxes are as wide as x2 - x1, and a class without truth
has a MOTA of minus its number of predictions, which is averaged with the others.
"""

from __future__ import annotations

from typing import Any

from trackeval import datasets

from masa_core.evaluation import trackeval_runner
from masa_core.evaluation.bdd_hota import raw_frames
from masa_core.evaluation.bdd_labels import CLASSES, SUPER_CLASSES, BddVideo, Instances


class _InMemory(datasets.BDD100K):
    """All videos in memory in place of the data set's files."""

    def __init__(self, videos: list[BddVideo]) -> None:
        self._videos = {video.name: video for video in videos}
        self.seq_list = list(self._videos)
        self.class_list = list(CLASSES)
        self.class_name_to_class_id = {name: index for index, name in enumerate(CLASSES)}
        self.tracker_list = [trackeval_runner.TRACKER]
        self.should_classes_combine = True
        self.use_super_categories = True
        self.super_categories = {name.upper(): part for name, part in SUPER_CLASSES.items()}
        self.output_fol = self.output_sub_fol = ""

    def get_display_name(self, tracker: str) -> str:
        return tracker

    def _load_raw_file(self, tracker: str, seq: str, is_gt: bool) -> dict[str, Any]:
        del tracker
        video = self._videos[seq]
        if not is_gt:
            found = [frame[~frame.distractor] for frame in video.results]
            _check_unique(seq, "results", found)
            return raw_frames("tracker", seq, found)
        region = [frame.distractor | frame.crowd for frame in video.truth]
        frames = list(zip(video.truth, region, strict=True))
        counted = [frame[~rows] for frame, rows in frames]
        _check_unique(seq, "truth", counted)
        raw = raw_frames("gt", seq, counted)
        return raw | {"gt_crowd_ignore_regions": [frame.boxes[rows] for frame, rows in frames]}


def _check_unique(video: str, side: str, frames: list[Instances]) -> None:
    """TrackEval's own check fails on data that does not name its sequence."""
    for number, frame in enumerate(frames):
        keys = list(zip(frame.ids.tolist(), frame.classes.tolist(), strict=True))
        if len(set(keys)) < len(keys):
            raise ValueError(f"video {video}: the {side} hold an id twice in frame {number}")


def score_with_trackeval(videos: list[BddVideo], iou_threshold: float) -> dict[str, Any]:
    """Means over classes (m...), figures over all detections, and those of each class."""
    metrics = trackeval_runner.metrics(iou_threshold=iou_threshold)
    scored = trackeval_runner.run(lambda _: _InMemory(videos), {}, metrics)
    scored["COMBINED"] = scored.pop("COMBINED_SEQ")
    table = {name: trackeval_runner.headline(fields) for name, fields in scored["COMBINED"].items()}
    mean = table["cls_comb_cls_av"]
    means = {"HOTA": "HOTA", "CLEAR": "MOTA", "Identity": "IDF1"}
    overall = trackeval_runner.figures_by_family(scored["COMBINED"]["cls_comb_det_av"])
    shared = {
        "evaluator": f"{trackeval_runner.NAME}, data set BDD100K",
        "boxes": "width = x2 - x1",
        "ignore_regions": "crowds and distractors",
        "videos": len(videos),
    }
    threshold = {**shared, "iou_threshold": iou_threshold}
    return {
        "figures": {
            family: ({f"m{means[family]}": mean[means[family]]} if family in means else {}) | values
            for family, values in overall.items()
        },
        "settings": {
            "HOTA": {**shared, "alphas": "0.05...0.95"},
            "CLEAR": threshold,
            "Identity": threshold,
            "Count": shared,
        },
        "per_class": table,
        "details": scored,
    }
