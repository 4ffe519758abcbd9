"""YouTube-VIS and UVO: precision and recall of tracks of masks, and of the masks of images."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from masa_core.evaluation.json_files import Reader, load_json
from masa_core.evaluation.vis_precision import (
    AREA_RANGES,
    IOU_THRESHOLDS,
    MAX_TRACKS,
    Floats,
    PrecisionRecall,
    precision_recall,
)
from masa_core.evaluation.vis_tracks import VisTrack, VisTruth, read_vis_results, read_vis_truth


def evaluate_ytvis(
    truth: Path,
    results: Path,
    *,
    use_categories: bool = True,
    iou_type: str = "segm",
    evaluator: str = "ytvos",
    max_detections: int = 0,
) -> dict[str, Any]:
    """AP, AP50, AP75, AR1, AR10, AR100 and those of small, medium and large tracks, from 0 to 1.

    truth, results: YouTube-VIS' JSON. A truth file without ``videos`` is one of images in COCO's
    format, and is scored image by image with pycocotools (areas from 32^2 and 96^2 pixels there,
    from 128^2 and 256^2 for tracks); iou_type is then "segm" or "bbox".
    use_categories: False scores all classes as one; a track of a class that the truth does not
    name is left out, as in the API.
    evaluator: "ytvos", or "trackeval" for TrackEval's data set, which loses overlaps of exactly
    0.85, 0.90 and 0.95 and lets the very first track match twice; max_detections is its option.

    -1 stands for a figure without truth. Raises FormatError, FileNotFoundError and ValueError.
    """
    if evaluator not in ("ytvos", "trackeval"):
        raise ValueError(f"unknown evaluator {evaluator!r}; known: ytvos, trackeval")
    if iou_type not in ("segm", "bbox"):
        raise ValueError(f"unknown iou_type {iou_type!r}; known: segm, bbox")
    if Reader(truth, "", load_json(truth)).get("videos") is None:
        from masa_core.evaluation.vis_images import score_images

        return score_images(truth, results, iou_type, use_categories)
    read = read_vis_truth(truth)
    tracks = read_vis_results(results, read)
    if evaluator == "trackeval":
        from masa_core.evaluation.vis_trackeval import score_with_trackeval

        return score_with_trackeval(truth, results, max_detections)
    categories = sorted(read.categories)
    _warn(read, tracks, results)
    if not use_categories:
        tracks = [track for track in tracks if track.category in read.categories]
    scored = precision_recall(
        read.tracks, tracks, sorted(read.video_sizes), categories if use_categories else None
    )
    names = [str(category) for category in categories] if use_categories else ["-1"]
    return _report(scored, names, read, use_categories)


def evaluate_uvo(
    truth: Path,
    results: Path,
    *,
    use_categories: bool = False,
    iou_type: str = "segm",
    evaluator: str = "ytvos",
    max_detections: int = 0,
) -> dict[str, Any]:
    """As `evaluate_ytvis`, without classes."""
    return evaluate_ytvis(
        truth,
        results,
        use_categories=use_categories,
        iou_type=iou_type,
        evaluator=evaluator,
        max_detections=max_detections,
    )


def _warn(truth: VisTruth, tracks: list[VisTrack], path: Path) -> None:
    lost = sum(track.category not in truth.categories for track in tracks)
    if lost:
        message = f"{path}: {lost} tracks of classes that the truth does not name are left out"
        warnings.warn(message, stacklevel=3)
    if any(track.id == 0 for track in truth.tracks):
        message = "the truth has an annotation with id 0, which the API never counts as found"
        warnings.warn(message, stacklevel=3)


def _mean(values: Floats) -> float:
    """Mean over what has truth; -1 without any."""
    known = values[values > -1]
    return float(known.mean()) if known.size else -1.0


def summary(scored: PrecisionRecall) -> dict[str, float]:
    """The twelve figures of COCO's summary, under short names."""
    areas, last = list(AREA_RANGES), len(MAX_TRACKS) - 1
    precision, recall = scored.precision[..., last], scored.recall[..., last]
    figures = {
        "AP": _mean(precision[..., 0]),
        "AP50": _mean(precision[IOU_THRESHOLDS == 0.5][..., 0]),
        "AP75": _mean(precision[IOU_THRESHOLDS == 0.75][..., 0]),
    }
    sizes = {area[0]: areas.index(area) for area in areas if area != "all"}
    figures |= {f"AP{size}": _mean(precision[..., index]) for size, index in sizes.items()}
    figures |= {
        f"AR{limit}": _mean(scored.recall[:, :, 0, index]) for index, limit in enumerate(MAX_TRACKS)
    }
    return figures | {f"AR{size}": _mean(recall[..., index]) for size, index in sizes.items()}


def _report(
    scored: PrecisionRecall, names: list[str], truth: VisTruth, use_categories: bool
) -> dict[str, Any]:
    last = len(MAX_TRACKS) - 1
    per_class = {}
    for index, name in enumerate(names):
        precision = _mean(scored.precision[:, :, index, 0, last])
        per_class[name] = float("nan") if precision == -1 else precision
    recalls = {name: scored.recall[:, k, 0, last] for k, name in enumerate(names)}
    return {
        "figures": {"AP and AR": summary(scored)},
        "settings": {
            "AP and AR": {
                "evaluator": "YouTube-VIS API rules",
                "overlap": "masks of whole tracks",
                "iou_thresholds": "0.50...0.95 (AR: mean over them)",
                "areas": "small below 128^2, large above 256^2 pixels, mean of a track",
                "use_categories": use_categories,
                "videos": len(truth.video_sizes),
            }
        },
        "per_class_AP": per_class,
        "recall_at_iou_maxdet100": recalls,
        "class_names": {str(key): name for key, name in truth.categories.items()},
    }
