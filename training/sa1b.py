"""Segments of one image, in the JSON format of SA-1B: what training learns from.

`NAME.json` lies beside `NAME.jpg`::

    {"image": {"image_id": int, "width": int, "height": int, "file_name": "NAME.jpg"},
     "annotations": [{"id": int, "bbox": [x, y, w, h], "area": px,
                      "segmentation": {"size": [height, width], "counts": "COCO run lengths"},
                      "predicted_iou": 0..1, ...}]}

SA-1B itself is read as it is. Of the rest of its keys (`stability_score`, `point_coords`,
`crop_box`) nothing is needed; `source`, which it lacks, names where a segment comes from.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from masa_core.io.atomic import write_text
from masa_core.io.coco_rle import from_coco_rle, to_coco_rle
from masa_core.masks import decode_mask
from masa_core.structures import Mask

EMPTY_MASK = Mask(0, 0, 0, 0, b"")


@dataclass(frozen=True, eq=False)
class Segments:
    """What is to be told apart in one image of `height` x `width` px, N rows.

    boxes: (N, 4) float32, x1 y1 x2 y2 px. ids: (N,) int64, positive and distinct.
    masks: N, in pixels of the image; a row that has a box only has `EMPTY_MASK`.
    scores: (N,) float32, `predicted_iou`. sources: N, "" where the file names none.
    """

    height: int
    width: int
    boxes: NDArray[np.float32]
    ids: NDArray[np.int64]
    masks: list[Mask]
    scores: NDArray[np.float32]
    sources: list[str]

    def __post_init__(self) -> None:
        for field in fields(self)[2:]:
            if len(getattr(self, field.name)) != len(self.boxes):
                raise ValueError(f"{field.name} and boxes of segments differ in length")

    def __len__(self) -> int:
        return len(self.boxes)

    def __getitem__(self, rows: NDArray[Any]) -> Segments:
        """The given rows: integer indices or a boolean mask."""
        rows = np.asarray(rows)
        rows = np.flatnonzero(rows) if rows.dtype == bool else rows.astype(np.int64)
        return replace(
            self,
            boxes=self.boxes[rows],
            ids=self.ids[rows],
            masks=[self.masks[row] for row in rows],
            scores=self.scores[rows],
            sources=[self.sources[row] for row in rows],
        )


def read_segments(path: str | Path, masks: bool = True) -> Segments:
    """The segments of an SA-1B JSON file. With `masks` off, all are empty: ten times as fast.

    Left out, as in the reference's training: segments without area, with a side under a pixel,
    or wholly outside of the image.

    Raises ValueError, with file and annotation, for what is no such file, for run lengths that do
    not fill the image, and for ids that are not positive or come twice; OSError.
    """
    with open(path, "rb") as file:
        try:
            content = json.load(file)
            height, width = (int(content["image"][side]) for side in ("height", "width"))
            annotations = content["annotations"]
            if not isinstance(annotations, list) or height < 1 or width < 1:
                raise TypeError("no list of annotations, or an image without pixels")
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is not SA-1B's JSON: {_reason(error)}") from error
    rows = []
    seen: set[int] = set()
    for number, annotation in enumerate(annotations):
        try:
            row = _row(annotation, height, width, masks)
            if row["ids"] in seen:
                raise ValueError(f"id {row['ids']} comes twice")
            wanted = _is_wanted(row["boxes"], float(annotation.get("area", 1)), height, width)
        except (ValueError, KeyError, TypeError, OverflowError) as error:
            raise ValueError(f"{path}: annotation {number}: {_reason(error)}") from error
        seen.add(row["ids"])
        if wanted:
            rows.append(row)
    columns = {field.name: [row[field.name] for row in rows] for field in fields(Segments)[2:]}
    columns["boxes"] = np.array(columns["boxes"], np.float32).reshape(-1, 4)
    columns["ids"] = np.array(columns["ids"], np.int64)
    columns["scores"] = np.array(columns["scores"], np.float32)
    return Segments(height, width, **columns)


def _row(annotation: Mapping[str, Any], height: int, width: int, masks: bool) -> dict[str, Any]:
    x, y, w, h = (float(value) for value in annotation["bbox"])
    if not np.isfinite([x, y, w, h]).all():
        raise ValueError("a box that is not finite")
    identity = int(annotation["id"])
    if not 0 < identity < 1 << 63:
        raise ValueError(f"id {identity}: ids are positive")
    rle = annotation.get("segmentation")
    if rle and not isinstance(rle, Mapping):
        raise ValueError("its segmentation is no run lengths but, it seems, a polygon")
    if rle and [int(side) for side in rle.get("size", ())] != [height, width]:
        raise ValueError(f"its mask is of an image of {rle.get('size')}, not {[height, width]} px")
    return {
        "boxes": [x, y, x + w, y + h],
        "ids": identity,
        "masks": from_coco_rle(rle) if rle and masks else EMPTY_MASK,
        "scores": float(annotation.get("predicted_iou", 1)),
        "sources": str(annotation.get("source", "")),
    }


def _is_wanted(box: Sequence[float], area: float, height: int, width: int) -> bool:
    x1, y1, x2, y2 = box
    overlaps = min(x2, width) > max(x1, 0) and min(y2, height) > max(y1, 0)
    return area > 0 and x2 - x1 >= 1 and y2 - y1 >= 1 and overlaps


def write_segments(
    path: str | Path,
    image_name: str,
    segments: Segments,
    image_id: int = 0,
    details: Sequence[Mapping[str, Any]] = (),
) -> None:
    """Writes what `read_segments` reads; the file appears when it is whole.

    image_name: file name of the image beside it. details: what else to say of each segment, such
    as SA-1B's `stability_score`; may be left out. Raises OSError.
    """
    image = {
        "image_id": image_id,
        "width": segments.width,
        "height": segments.height,
        "file_name": image_name,
    }
    annotations = [
        _annotation(segments, row, details[row] if details else {}) for row in range(len(segments))
    ]
    write_text(Path(path), json.dumps({"image": image, "annotations": annotations}))


def _annotation(segments: Segments, row: int, details: Mapping[str, Any]) -> dict[str, Any]:
    x1, y1, x2, y2 = segments.boxes[row].tolist()
    mask = segments.masks[row]
    annotation: dict[str, Any] = {
        "id": int(segments.ids[row]),
        "bbox": [round(value, 2) for value in (x1, y1, x2 - x1, y2 - y1)],
        "area": round((x2 - x1) * (y2 - y1)),
        "predicted_iou": round(float(segments.scores[row]), 4),
    }
    if mask.width:
        annotation["area"] = int(decode_mask(mask).sum())
        annotation["segmentation"] = to_coco_rle(mask, segments.height, segments.width)
    if segments.sources[row]:
        annotation["source"] = segments.sources[row]
    return annotation | dict(details)


def _reason(error: Exception) -> str:
    return f"it lacks {error}" if isinstance(error, KeyError) else str(error)
