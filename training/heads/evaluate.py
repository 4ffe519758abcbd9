"""How good the masks and the proposals of a bundle are, on images with segments.

python -m training.heads.evaluate assets/nanodet_masa segments/coco256 --images 'val2017_*' \\
    --source coco

Masks are cut for the true boxes, and for the true boxes with each side off by up to a tenth, and
compared with the segment beside the filled box and the ellipse in it. Proposals are compared with
the boxes of the bundle's own detector, all classes as one.
"""

from __future__ import annotations

import argparse
import contextlib
import io
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from masa_core.detectors import decode
from masa_core.io.image_files import read_image
from masa_core.masks import paste_mask
from masa_core.masks.placing import place_masks
from masa_core.runtime.head import BundleFeatures
from masa_core.runtime.ort import OrtModel
from masa_core.structures import Detections, Mask
from training.console import exit_with
from training.sa1b import Segments, read_segments

AREAS = {
    "all": (0, np.inf),
    "small": (0, 32**2),
    "medium": (32**2, 96**2),
    "large": (96**2, np.inf),
}
Image, Boxes = NDArray[np.uint8], NDArray[np.float32]
_CELLS = 56  # a side of the masks that need no head: more than a head has
_LOW = 0.01  # score of a detector's boxes that may still be looked at


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path)
    parser.add_argument("data", type=Path, help="folder of images with segments beside them")
    parser.add_argument("--images", default="*", help="pattern of their names, without .jpg")
    parser.add_argument("--source", help="take segments of this source only, such as coco")
    args = parser.parse_args()
    images = sorted(args.data.glob(f"{args.images}.jpg"))
    if not images:
        parser.error(f"no image {args.images}.jpg in {args.data}")
    model = OrtModel(args.bundle)
    truth = [_truth(path, args.source) for path in images]
    print(f"{len(images)} images, {sum(len(t) for t in truth)} segments")
    if model.has_masks:
        print_masks(model, images, truth)
    print_boxes(model, images, truth)


def _truth(image: Path, source: str | None) -> Segments:
    segments = read_segments(image.with_suffix(".json"))
    return segments[np.array([source in (None, s) for s in segments.sources], bool)]


def print_masks(model: OrtModel, images: Sequence[Path], truth: Sequence[Segments]) -> None:
    def head(image: Image, boxes: Boxes) -> list[Mask]:
        return model.masks(model.encode(image), boxes)

    print(f"\n| mean IoU of masks | {' | '.join(AREAS)} |\n|---|{'---|' * len(AREAS)}")
    for name, cut, jitter in (
        ("filled boxes", filled_boxes, 0.0),
        ("ellipses", ellipses, 0.0),
        ("mask head", head, 0.0),
        ("ellipses, boxes up to 10 % off", ellipses, 0.1),
        ("mask head, boxes up to 10 % off", head, 0.1),
    ):
        overlaps, areas = mask_overlaps(cut, images, truth, jitter)
        means = [_mean(overlaps[(areas >= low) & (areas < high)]) for low, high in AREAS.values()]
        print(f"| {name} | {' | '.join(means)} |")


def _mean(values: NDArray[np.float64]) -> str:
    return f"{values.mean():.3f}" if len(values) else "-"


def filled_boxes(image: Image, boxes: Boxes) -> list[Mask]:
    return place_masks(np.ones((len(boxes), _CELLS, _CELLS), np.float32), boxes, *image.shape[:2])


def ellipses(image: Image, boxes: Boxes) -> list[Mask]:
    place = (np.arange(_CELLS) + 0.5) / _CELLS * 2 - 1
    inside = (place[:, None] ** 2 + place**2 <= 1).astype(np.float32)
    return place_masks(np.repeat(inside[None], len(boxes), axis=0), boxes, *image.shape[:2])


def mask_overlaps(
    cut: Callable[[Image, Boxes], list[Mask]],
    images: Sequence[Path],
    truth: Sequence[Segments],
    jitter: float = 0.0,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """IoU of each segment with the mask cut for its box, and its area in px.

    jitter: each side of the box is moved by up to this part of the box's width or height, the same
    for every `cut`.
    """
    random = np.random.RandomState(0)
    overlaps, areas = [], []
    for path, segments in zip(images, truth, strict=True):
        height, width, boxes = segments.height, segments.width, segments.boxes
        sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
        moved = boxes + sides * random.uniform(-jitter, jitter, boxes.shape).astype(np.float32)
        moved = moved.clip(0, np.array([width, height] * 2, np.float32))
        masks = cut(read_image(path), moved) if len(moved) else []
        for mask, segment in zip(masks, segments.masks, strict=True):
            ours, true = (paste_mask(m, height, width) for m in (mask, segment))
            overlaps.append((ours & true).sum() / (ours | true).sum())
            areas.append(true.sum())
    return np.array(overlaps), np.array(areas, np.float64)


def print_boxes(model: OrtModel, images: Sequence[Path], truth: Sequence[Segments]) -> None:
    """Average recall of at most 100 boxes an image, over IoU 0.5 to 0.95, as COCO counts."""
    print(f"\n| AR@100 of boxes | {' | '.join(AREAS)} |\n|---|{'---|' * len(AREAS)}")
    finders = {}
    if model.bundle.detector is not None:
        spec = replace(model.bundle.detector, score_threshold=_LOW)

        def detect(features: BundleFeatures) -> Detections:
            found = decode(features.tensors, spec, *features.size)
            found.boxes /= features.scale
            return found

        finders[f"detector, score > {_LOW}"] = detect
    if model.has_proposals:
        finders["proposals"] = model.detect_objects
    for name, find in finders.items():
        found = [find(model.encode(read_image(path))) for path in images]
        print(f"| {name} | {' | '.join(f'{v:.3f}' for v in average_recall(found, truth))} |")


def average_recall(found: Sequence[Detections], truth: Sequence[Segments]) -> list[float]:
    """AR@100 of all, small, medium and large boxes; classes play no part."""
    boxes, answers = [], []
    for image, (detections, segments) in enumerate(zip(found, truth, strict=True)):
        common = {"image_id": image, "category_id": 1}
        for box in _xywh(segments.boxes):
            area = box[2] * box[3]
            boxes.append({**common, "id": len(boxes) + 1, "bbox": box, "area": area, "iscrowd": 0})
        for box, score in zip(_xywh(detections.boxes), detections.scores, strict=True):
            answers.append({**common, "bbox": box, "score": float(score)})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": image} for image in range(len(truth))],
            "categories": [{"id": 1}],
            "annotations": boxes,
            "info": {},
        }
        coco.createIndex()
        evaluation = COCOeval(coco, coco.loadRes(answers), "bbox")
        evaluation.params.useCats = 0
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
    return [float(value) for value in evaluation.stats[8:]]


def _xywh(boxes: NDArray[np.float32]) -> list[list[float]]:
    return [[float(x1), float(y1), float(x2 - x1), float(y2 - y1)] for x1, y1, x2, y2 in boxes]


if __name__ == "__main__":
    exit_with(main)
