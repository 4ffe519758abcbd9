"""BDD100K multi-object tracking, on boxes (MOT) and on masks (MOTS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from masa_core.evaluation.bdd_clear import BOX_RULE, MASK_RULE, clear_figures
from masa_core.evaluation.bdd_hota import hota_fields, hota_figures
from masa_core.evaluation.bdd_labels import BddVideo, empty_overlapping, pair_videos
from masa_core.evaluation.bdd_teta import teta_fields
from masa_core.evaluation.bitmasks import holds_bitmasks, read_bitmasks
from masa_core.evaluation.formats_scalabel import read_scalabel
from masa_core.evaluation.teta_summary import percent
from masa_core.wording import nearest

FAMILIES = ("CLEAR", "HOTA", "TETA")

# Figures of each class: class -> name -> value.
Table = dict[str, dict[str, float | int]]


def evaluate_bdd_mot(
    truth: Path,
    results: Path,
    *,
    families: Sequence[str] = FAMILIES,
    iou_threshold: float = 0.5,
    ignore_threshold: float = 0.5,
    teta_route: str = "scalabel",
    evaluator: str = "scalabel",
    per_video: bool = False,
) -> dict[str, Any]:
    """Figures over all classes at the top: means over the 8 classes begin with m.

    truth, results: Scalabel JSON files, or folders of them.
    families: those of CLEAR (MOTA, MOTP, IDF1 and counts), HOTA and TETA to compute.
    iou_threshold, ignore_threshold: of CLEAR. teta_route: see `bdd_teta`.
    evaluator: "scalabel", or "trackeval" for the BDD100K data set of TrackEval itself.
    per_video: add the fields of HOTA and TETA of each video.

    Raises FormatError, FileNotFoundError, and ValueError for an unknown setting and, with HOTA and
    TETA, for an id that comes twice in a frame.
    """
    paired = pair_videos(read_scalabel(truth), read_scalabel(results), truth, results)
    if evaluator == "trackeval":
        from masa_core.evaluation.bdd_trackeval import score_with_trackeval

        return score_with_trackeval(paired, iou_threshold)
    if evaluator != "scalabel":
        raise ValueError(f"unknown evaluator {evaluator!r}; known: scalabel, trackeval")
    thresholds = (iou_threshold, ignore_threshold)
    return _score(paired, families, thresholds, teta_route, masks=False, per_video=per_video)


def evaluate_bdd_mots(
    truth: Path,
    results: Path,
    *,
    families: Sequence[str] = FAMILIES,
    iou_threshold: float = 0.5,
    ignore_threshold: float = 0.5,
    teta_route: str = "scalabel",
    per_video: bool = False,
) -> dict[str, Any]:
    """As `evaluate_bdd_mot`, on masks. mMOTSA is the benchmark's name of this mMOTA.

    truth, results: Scalabel JSON with ``rle``, or folders of bitmasks, VIDEO/FRAME.png. The
    official evaluator of bitmasks has CLEAR only; HOTA and TETA are those of the same masks as RLE.
    """
    read = [read_bitmasks if holds_bitmasks(path) else _read_masks for path in (truth, results)]
    paired = pair_videos(read[0](truth), read[1](results), truth, results)
    empty_overlapping(paired, results)
    thresholds = (iou_threshold, ignore_threshold)
    report = _score(paired, families, thresholds, teta_route, masks=True, per_video=per_video)
    clear = report["figures"].get("CLEAR", {})
    if clear:
        report["figures"]["CLEAR"] = {"mMOTSA": clear["mMOTA"], **clear}
    return report


def _read_masks(path: Path) -> Any:
    return read_scalabel(path, masks=True)


def _score(
    videos: list[BddVideo],
    families: Sequence[str],
    thresholds: tuple[float, float],
    teta_route: str,
    masks: bool,
    per_video: bool,
) -> dict[str, Any]:
    for family in families:
        if family not in FAMILIES:
            raise ValueError(f"unknown family {family!r}{nearest(family, FAMILIES)}")
    parts = {}
    if "CLEAR" in families:
        parts["CLEAR"] = _clear(videos, thresholds, masks)
    if "HOTA" in families:
        parts["HOTA"] = _hota(videos, masks)
    if "TETA" in families:
        parts["TETA"] = _teta(videos, masks, teta_route)
    shared = {"evaluator": "scalabel evalAPI rules", "videos": len(videos)}
    shared["shapes"] = "RLE masks" if masks else "boxes"
    report: dict[str, Any] = {
        "figures": {family: part.pop("figures") for family, part in parts.items()},
        "settings": {family: shared | part.pop("settings") for family, part in parts.items()},
    }
    for section in ("per_class", "raw") + ("per_video",) * per_video:
        report[section] = {
            family: part[section] for family, part in parts.items() if section in part
        }
    return report


def _clear(videos: list[BddVideo], thresholds: tuple[float, float], masks: bool) -> dict[str, Any]:
    rule = replace(
        MASK_RULE if masks else BOX_RULE,
        iou_threshold=thresholds[0],
        ignore_threshold=thresholds[1],
    )
    table = clear_figures(videos, rule)
    settings = {
        "iou_threshold": thresholds[0],
        "ignore_threshold": thresholds[1],
        "ignore_regions": "crowds and distractors",
        "mean": "over 8 classes, one without truth counts as 0",
    }
    if not masks:
        settings["width"] = "x2 - x1 + 1"
    figures = _means(table, ("MOTA", "MOTP", "IDF1")) | table["OVERALL"]
    return {"figures": figures, "settings": settings, "per_class": table}


def _hota(videos: list[BddVideo], masks: bool) -> dict[str, Any]:
    fields, by_video = hota_fields(videos, masks)
    table = hota_figures(fields)
    settings = {
        "alphas": "0.05...0.95",
        "ignore_regions": "crowds",
        "mean": "over 8 classes, one without truth counts as 0",
    }
    if not masks:
        settings["width"] = "x2 - x1"
    names = ("HOTA", "DetA", "AssA")
    figures = _means(table, names) | {name: table["OVERALL"][name] for name in names}
    figures["HOTA_LocA"] = table["OVERALL"]["LocA"]
    return {
        "figures": figures,
        "settings": settings,
        "per_class": table,
        "raw": fields,
        "per_video": by_video,
    }


def _teta(videos: list[BddVideo], masks: bool, route: str) -> dict[str, Any]:
    fields, by_video = teta_fields(videos, masks, route)
    table: Table = {name: {**percent(values)} for name, values in fields.items()}
    settings = {
        "route": route,
        "exhaustive": True,
        "ignore_regions": "crowds" if route == "scalabel" else "none",
        "mean": "over classes with truth or predictions near it",
    }
    if not masks:
        settings["width"] = "x2 - x1 + 1"
    names = ("TETA", "LocA", "AssocA", "ClsA")
    overall = table.get("OVERALL", {})
    figures = _means(table, names) | {name: overall[name] for name in names if name in overall}
    return {
        "figures": figures,
        "settings": settings,
        "per_class": table,
        "raw": fields,
        "per_video": by_video,
    }


def _means(table: Table, names: Sequence[str]) -> dict[str, float | int]:
    return {f"m{name}": table["AVERAGE"][name] for name in names}
