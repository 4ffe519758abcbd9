"""TAO (Track mAP and TETA) and open-vocabulary MOT (TETA of base and novel classes)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from masa_core.evaluation.formats_tao import (
    TaoBoxes,
    TaoTruth,
    group_rows,
    limit_per_image,
    read_tao_results,
    read_tao_truth,
)
from masa_core.evaluation.similarity import box_iou, xywh_to_xyxy
from masa_core.evaluation.teta import TetaRule, TetaScore, score_video
from masa_core.evaluation.teta_cluster import TetaVideo
from masa_core.evaluation.teta_summary import (
    RATIOS,
    average_fields,
    combine,
    final_fields,
    percent,
    rounded,
    video_fields,
)

_FREQUENCIES = {"base": "f or c", "novel": "r"}


def evaluate_tao(
    truth: Path,
    results: Path,
    *,
    teta_max_detections: int = 0,
    track_map_max_detections: int = 300,
    exhaustive: bool = False,
    per_video: bool = False,
) -> dict[str, Any]:
    """Track mAP, HOTA, MOTA and IDF1 by TrackEval (means over classes) and TETA at the top.

    truth: TAO's JSON. results: a JSON list of boxes.
    teta_max_detections, track_map_max_detections: boxes taken of each image, 0 for all; the
    defaults are those of the evaluators. exhaustive: TETA's option of the name; the benchmark has
    it off. per_video: add TETA's fields of each video.

    Raises FormatError, FileNotFoundError and ValueError.
    """
    from masa_core.evaluation.tao_trackeval import score_track_map

    read = read_tao_truth(truth)
    boxes = read_tao_results(results, read)
    teta = _score_teta(read, boxes, teta_max_detections, exhaustive, per_video)
    track_map = score_track_map(truth, results, read, boxes, track_map_max_detections)
    merged = {
        name: {**track_map[name], **teta[name]} for name in ("figures", "settings", "per_class")
    }
    return {**track_map, **teta, **merged}


def evaluate_ovmot(
    truth: Path,
    results: Path,
    *,
    max_detections: int = 0,
    exhaustive: bool = False,
    per_video: bool = False,
) -> dict[str, Any]:
    """TETA over all classes, and of base and of novel classes as TETA_base, TETA_novel and so on.

    Base classes have frequency f or c, novel ones r. As the benchmark prints them, base and novel
    are means of values that are rounded to 5 digits. Settings and errors as for `evaluate_tao`.
    """
    read = read_tao_truth(truth)
    boxes = read_tao_results(results, read)
    report = _score_teta(read, boxes, max_detections, exhaustive, per_video)
    for group, values in report["base_novel"].items():
        family = f"TETA, {group} classes"
        report["figures"][family] = {f"{name}_{group}": value for name, value in values.items()}
        report["settings"][family] = {
            **report["settings"]["TETA"],
            "mean": f"over classes with frequency {_FREQUENCIES[group]}, rounded to 5 digits each",
        }
    return report


def _score_teta(
    truth: TaoTruth, boxes: TaoBoxes, max_detections: int, exhaustive: bool, per_video: bool
) -> dict[str, Any]:
    labels = scored_classes(truth)
    if not labels:
        raise ValueError("the truth has no boxes, so there is no class to score")
    rule = TetaRule(exhaustive=exhaustive, strays=False)
    by_video: dict[str, dict[int, TetaScore]] = {}
    truth_rows = _rows_by_video(truth.boxes)
    boxes = limit_per_image(boxes, max_detections)
    result_rows = _rows_by_video(boxes)
    nothing = np.zeros(0, np.int64)
    for video_id, name in truth.video_names.items():
        part = truth.boxes[truth_rows.get(video_id, nothing)]
        video = _teta_video(truth, part, boxes[result_rows.get(video_id, nothing)])
        try:
            by_video[name.replace("/", "-")] = score_video(video, labels, rule)
        except ValueError as error:
            raise ValueError(f"video {name}: {error}") from None
    totals = {
        truth.categories[label]: combine(scores[label] for scores in by_video.values())
        for label in labels
    }
    raw = {name: final_fields(total) for name, total in totals.items()}
    raw["average"] = average_fields(totals.values())
    report: dict[str, Any] = {
        "figures": {"TETA": percent(raw["average"])},
        "settings": {
            "TETA": {
                "evaluator": "TETA b498aa8 rules, data set TAO",
                "boxes": "x2 = left + width",
                "exhaustive": exhaustive,
                "max_detections": max_detections,
                "mean": "over classes with truth or predictions near it",
            }
        },
        "base_novel": _base_novel(raw, truth.frequencies),
        "printed": rounded(raw["average"]),
        "per_class": {"TETA": {name: percent(values) for name, values in raw.items()}},
        "raw": {"TETA": raw},
    }
    if per_video:
        report["per_video"] = {
            video: {truth.categories[label]: video_fields(scores[label]) for label in labels}
            for video, scores in by_video.items()
        }
    return report


def scored_classes(truth: TaoTruth) -> list[int]:
    """Category ids that have truth, in the order of the file. A track has its first box's class."""
    boxes = truth.boxes
    _, first = np.unique(np.stack([boxes.videos, boxes.tracks]), axis=1, return_index=True)
    seen = set(boxes.categories[first].tolist())
    return [category for category in truth.categories if category in seen]


def _rows_by_video(boxes: TaoBoxes) -> dict[int, Any]:
    return {int(boxes.videos[rows[0]]): rows for rows in group_rows(boxes.videos)}


def _teta_video(truth: TaoTruth, truth_boxes: TaoBoxes, results: TaoBoxes) -> TetaVideo:
    """Only images with truth are frames; what is found in others is not seen."""
    video = TetaVideo([], [], [], [], [])
    result_rows = {int(results.images[rows[0]]): rows for rows in group_rows(results.images)}
    groups = group_rows(truth_boxes.images)
    groups.sort(key=lambda rows: truth.image_frames[int(truth_boxes.images[rows[0]])])
    for rows in groups:
        own = truth_boxes[rows]
        found = results[result_rows.get(int(own.images[0]), np.zeros(0, np.int64))]
        video.truth_ids.append(own.tracks)
        video.truth_classes.append(own.categories)
        video.ids.append(found.tracks)
        video.classes.append(found.categories)
        video.overlaps.append(box_iou(xywh_to_xyxy(own.boxes), xywh_to_xyxy(found.boxes)))
    return video


def _base_novel(
    raw: dict[str, dict[str, Any]], frequencies: dict[str, str]
) -> dict[str, dict[str, float]]:
    groups: dict[str, list[dict[str, float]]] = {"base": [], "novel": []}
    for name, values in raw.items():
        if name in frequencies:
            groups["novel" if frequencies[name] == "r" else "base"].append(rounded(values))
    return {
        group: {name: float(np.mean([item[name] for item in items])) for name in RATIOS}
        for group, items in groups.items()
        if items
    }
