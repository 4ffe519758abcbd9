"""Masks and boxes of single images in COCO's format, scored by pycocotools."""

from __future__ import annotations

import contextlib
import io
from importlib.metadata import version
from pathlib import Path
from typing import Any

from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from masa_core.evaluation.errors import FormatError
from masa_core.evaluation.json_files import Reader, load_json, read_list
from masa_core.evaluation.vis_tracks import read_mask

_NAMES = ("AP", "AP50", "AP75", "APs", "APm", "APl", "AR1", "AR10", "AR100", "ARs", "ARm", "ARl")


def score_images(truth: Path, results: Path, iou_type: str, use_categories: bool) -> dict[str, Any]:
    """COCO's twelve figures, from 0 to 1; -1 for one without truth.

    iou_type: "segm" or "bbox". Raises FormatError and FileNotFoundError.
    """
    content, entries = load_json(truth), load_json(results)
    root = Reader(truth, "", content)
    images = {
        image.field("id", int): (image.field("height", int), image.field("width", int))
        for image in root.objects("images")
    }
    for category in root.objects("categories"):
        category.field("id", int)
    for annotation in root.objects("annotations"):
        _check(annotation, images, iou_type)
        annotation.field("id", int)
        annotation.field("iscrowd", int)
        annotation.number("area")
    if not isinstance(entries, list):
        raise FormatError(results, "is not a list of masks or boxes")
    for entry in read_list(results, "results", entries):
        _check(entry, images, iou_type)
        entry.number("score")
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


def _check(entry: Reader, images: dict[int, tuple[int, int]], iou_type: str) -> None:
    """Of what the API does not check, and fails on: image, class and shape.

    images: height and width by id.
    """
    entry.field("category_id", int)
    image = entry.field("image_id", int)
    if image not in images:
        raise entry.error(f"is {image}, which is no image of the truth", "image_id")
    if iou_type == "bbox":
        entry.numbers("bbox", 4)
        return
    if not entry.get("segmentation"):
        raise entry.error("has no 'segmentation'")
    read_mask(entry, "segmentation", entry.get("segmentation"), *images[image])
