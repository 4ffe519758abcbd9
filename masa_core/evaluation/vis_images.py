"""Masks and boxes of single images in COCO's format, scored by pycocotools."""

from __future__ import annotations

import contextlib
import io
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from masa_core.evaluation.json_files import Reader, load_json, read_list

_NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")


def score_images(truth: Path, results: Path, iou_type: str, use_categories: bool) -> dict[str, Any]:
    """COCO's twelve figures, from 0 to 1; -1 for one without truth.

    iou_type: "segm" or "bbox". Raises FormatError and FileNotFoundError.
    """
    content = load_json(truth)
    root = Reader(truth, "", content)
    images = {image.field("id", int) for image in root.objects("images")}
    root.field("annotations", list)
    entries = load_json(results)
    wanted = "segmentation" if iou_type == "segm" else "bbox"
    for entry in read_list(results, "results", entries):
        if entry.field("image_id", int) not in images:
            raise entry.error("is no image of the truth", "image_id")
        entry.number("score")
        if entry.get(wanted) is None:
            raise entry.error(f"has no {wanted!r}")
    if iou_type == "segm":  # else the API takes the area of a result from its box
        entries = [
            {name: value for name, value in entry.items() if name != "bbox"} for entry in entries
        ]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = content
        coco.createIndex()
        scorer = COCOeval(coco, coco.loadRes(entries) if entries else COCO(), iou_type)
        scorer.params.useCats = int(use_categories)
        scorer.evaluate()
        scorer.accumulate()
        scorer.summarize()
    settings = {
        "evaluator": f"pycocotools {version('pycocotools')}",
        "overlap": "masks of images" if iou_type == "segm" else "boxes of images",
        "iou_thresholds": "0.50...0.95 (AR: mean over them)",
        "areas": "small below 32^2, large above 96^2 pixels",
        "use_categories": use_categories,
        "images": len(images),
    }
    figures = {name: float(value) for name, value in zip(_NAMES, scorer.stats, strict=True)}
    return {"figures": {"AP and AR": figures}, "settings": {"AP and AR": settings}}
