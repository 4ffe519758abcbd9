"""Track mAP, HOTA, CLEAR and identity of TAO by TrackEval.

TrackEval numbers thresholds by ``arange(0.5, 0.96, 0.05)``, which puts those from 0.7 on slightly
above the round number. Its Track mAP lets a truth that is matched by track 0 be matched again.
"""

from __future__ import annotations

import json
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from trackeval import datasets
from trackeval.metrics import TrackMAP
from trackeval.utils import TrackEvalException

from masa_core.evaluation import trackeval_runner
from masa_core.evaluation.formats_tao import TaoBoxes, TaoTruth

_LARGEST_ID = 10_000_000  # TrackEval makes arrays as long as the largest id


class _Tao(datasets.TAO):
    """TrackEval's data set, its tracks and images found by key in place of by search."""

    def _compute_vid_mappings(self, annotations: list[dict[str, Any]]) -> Any:
        frame_of = {image["id"]: image["frame_index"] for image in self.gt_data["images"]}
        tracks: dict[int, dict[int, Any]] = {video["id"]: {} for video in self.gt_data["videos"]}
        images: dict[int, dict[int, Any]] = {video["id"]: {} for video in self.gt_data["videos"]}
        for box in annotations:
            box["area"] = box["bbox"][2] * box["bbox"][3]
            track = {"category_id": box["category_id"], "video_id": box["video_id"]}
            track |= {"id": box["track_id"], "annotations": []}
            track = tracks[box["video_id"]].setdefault(box["track_id"], track)
            track["annotations"].append(box)
            image = {"id": box["image_id"], "annotations": []}
            image = images[box["video_id"]].setdefault(box["image_id"], image)
            image["annotations"].append(box)
        for track in (track for found in tracks.values() for track in found.values()):
            track["annotations"].sort(key=lambda box: frame_of[box["image_id"]])
            track["area"] = sum(b["area"] for b in track["annotations"]) / len(track["annotations"])
        listed = [
            {video: list(found.values()) for video, found in group.items()}
            for group in (tracks, images)
        ]
        return listed[0], listed[1]


class _TrackMap(TrackMAP):
    """TrackEval's Track mAP, which refuses tracks that are equal to within rounding."""

    @classmethod
    def get_name(cls) -> str:
        return str(TrackMAP.get_name())

    @staticmethod
    def _compute_track_ious(dt: list[Any], gt: list[Any], **how: str) -> Any:
        try:
            return TrackMAP._compute_track_ious(dt, gt, **how)
        except TrackEvalException:
            return np.array([[_track_overlap(found, truth) for truth in gt] for found in dt])


def _track_overlap(found: Any, truth: Any) -> float:
    try:
        return float(TrackMAP._compute_bb_track_iou(found, truth))
    except TrackEvalException:  # the shared area came out above the whole
        return 1.0


def score_track_map(
    truth_path: Path, results_path: Path, truth: TaoTruth, boxes: TaoBoxes, max_detections: int
) -> dict[str, Any]:
    """Class means as figures; APs and recalls from 0 to 1, others in percent."""
    if len(boxes) and boxes.tracks.min() <= 0:
        message = (
            f"{results_path} has track ids below 1: TrackEval's Track mAP then counts a truth "
            "twice, as the official figure would"
        )
        warnings.warn(message, stacklevel=2)
    with tempfile.TemporaryDirectory(prefix="masa_tao_") as folder:
        root = Path(folder)
        trackeval_runner.stage(truth_path, root / "gt" / "gt.json")
        target = root / trackeval_runner.TRACKER / "data" / "results.json"
        target.parent.mkdir(parents=True)
        target.write_text(json.dumps(_as_entries(boxes)))
        config = {
            "GT_FOLDER": str(root / "gt"),
            "TRACKERS_FOLDER": str(root),
            "MAX_DETECTIONS": max_detections,
        }
        metrics = [*trackeval_runner.metrics(), _TrackMap(trackeval_runner.quiet())]
        scored = trackeval_runner.run(_Tao, config, metrics)["COMBINED_SEQ"]
    return _report(scored, truth, boxes, max_detections)


def _as_entries(boxes: TaoBoxes) -> list[dict[str, Any]]:
    tracks = boxes.tracks
    if len(boxes) and tracks.max() > _LARGEST_ID:
        tracks = np.unique(tracks, return_inverse=True)[1].ravel() + 1
    names = ("image_id", "video_id", "category_id", "track_id", "bbox", "score")
    columns = (boxes.images, boxes.videos, boxes.categories, tracks, boxes.boxes, boxes.scores)
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return [dict(zip(names, row, strict=True)) for row in rows]


def _report(
    scored: dict[str, Any], truth: TaoTruth, boxes: TaoBoxes, max_detections: int
) -> dict[str, Any]:
    mean = scored["cls_comb_cls_av"]
    families = trackeval_runner.figures_by_family(mean)
    kept = {"HOTA": "HOTA", "CLEAR": "MOTA", "Identity": "IDF1"}
    shared = {
        "evaluator": f"{trackeval_runner.NAME}, data set TAO",
        "boxes": "x2 = left + width",
        "max_detections": max_detections,
        "mean": "over classes with truth",
    }
    per_class = {
        name: {**_average_precisions(fields), **trackeval_runner.headline(fields)}
        for name, fields in scored.items()
    }
    return {
        "figures": {
            "TrackMAP": _average_precisions(mean),
            **{family: {name: families[family][name]} for family, name in kept.items()},
        },
        "settings": {
            "TrackMAP": {**shared, "iou_thresholds": "arange(0.5, 0.96, 0.05)"},
            "HOTA": {**shared, "alphas": "0.05...0.95"},
            "CLEAR": {**shared, "iou_threshold": 0.5},
            "Identity": {**shared, "iou_threshold": 0.5},
        },
        "base_novel_trackAP_derived": _base_novel(scored, truth.frequencies),
        "tao_toolkit": _toolkit(mean, boxes, max_detections),
        "per_class": {"TrackEval": per_class},
        "details": scored,
    }


def _average_precisions(fields: dict[str, Any]) -> dict[str, float]:
    track_map = fields["TrackMAP"]
    precision = np.asarray(track_map["AP_all"], np.float64)
    return {
        "TrackAP50": float(precision[0]),
        "TrackAP75": float(precision[5]),
        "TrackAP_50_95_mean": float(precision.mean()),
        "TrackAR50": float(track_map["AR_all"][0]),
    }


def _base_novel(scored: dict[str, Any], frequencies: dict[str, str]) -> dict[str, dict[str, float]]:
    """Means over base and over novel classes. No official tool gives these."""
    groups: dict[str, list[dict[str, float]]] = {"base": [], "novel": []}
    for name, fields in scored.items():
        if name in frequencies:
            group = "novel" if frequencies[name] == "r" else "base"
            groups[group].append(_average_precisions(fields))
    names = {"AP50": "TrackAP50", "AP75": "TrackAP75", "AP_50_95": "TrackAP_50_95_mean"}
    return {
        group: {
            short: float(np.mean([item[long] for item in items])) for short, long in names.items()
        }
        for group, items in groups.items()
        if items
    }


def _toolkit(mean: dict[str, Any], boxes: TaoBoxes, max_detections: int) -> dict[str, float]:
    """The figures of TAO's own toolkit, which equal TrackEval's at IoU 0.5.

    Empty where the toolkit refuses the results: it wants one class in each track.
    """
    tracks = np.unique(np.stack([boxes.videos, boxes.tracks]), axis=1).shape[1]
    classes = np.unique(np.stack([boxes.videos, boxes.tracks, boxes.categories]), axis=1).shape[1]
    if classes > tracks:
        return {}
    figures = {}
    for field, values in mean["TrackMAP"].items():
        name, _, group = field.partition("_")
        if name in ("AP", "AR"):
            label = name if name == "AP" else f"AR@{max_detections}"
            figures[label if group == "all" else f"{name}_{group}"] = float(values[0])
    return figures
