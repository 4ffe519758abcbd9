"""Detections in the pickles that the authors of MASA publish."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from masa_core.io.detection_entries import DetectionFileError, Entry, Rows
from masa_core.io.plain_pickle import read_plain_pickle

SUFFIXES = (".pkl", ".pickle")


def read_pickles(path: Path) -> list[Entry]:
    """A folder with a pickle for each frame, named as the frame, or one pickle of all frames.

    A frame is a dict of `det_bboxes` (N, 5), x1 y1 x2 y2 score, or (N, 4), which gets the score
    1; `det_labels` (N,); and perhaps `det_masks`, N masks as COCO's run lengths. One pickle of all
    frames is a dict from frame names, or a list in the order of the frames. The files are read
    without running code from them.

    Raises DetectionFileError with the file and the reason where one is not like that.
    """
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.suffix in SUFFIXES)
        return [_entry(file, _content(file), file.stem, name=file.stem) for file in files]
    content = _content(path)
    if isinstance(content, list):
        return [_entry(path, c, f"frame {i}", index=i) for i, c in enumerate(content)]
    if isinstance(content, dict) and "det_bboxes" not in content:
        return [_entry(path, c, str(key), name=str(key)) for key, c in content.items()]
    return [_entry(path, content, path.stem, name=path.stem)]


def _content(file: Path) -> Any:
    try:
        return read_plain_pickle(file)
    except ValueError as error:
        raise DetectionFileError(str(error)) from error


def _entry(file: Path, content: Any, place: str, name: str = "", index: int | None = None) -> Entry:
    try:
        return Entry(_rows(content).detections(), name, index)
    except ValueError as error:
        raise DetectionFileError(f"{file}: {place}: {error}") from error


def _rows(content: Any) -> Rows:
    if not isinstance(content, Mapping) or not {"det_bboxes", "det_labels"} <= content.keys():
        raise ValueError("expected a dict with 'det_bboxes' and 'det_labels'")
    boxes = np.asarray(content["det_bboxes"])
    labels = np.asarray(content["det_labels"])
    if boxes.size == 0:
        return Rows()
    if boxes.dtype.kind not in "fiu" or boxes.ndim != 2 or boxes.shape[1] not in (4, 5):
        raise ValueError(f"det_bboxes has the shape {boxes.shape}, expected (N, 5)")
    if labels.dtype.kind not in "iu" or labels.shape != (len(boxes),) or labels.min() < 0:
        raise ValueError(f"det_labels must be {len(boxes)} numbers from 0 on")
    masks = content.get("det_masks")
    masks = [None] * len(boxes) if masks is None or len(masks) == 0 else list(masks)
    if len(masks) != len(boxes):
        raise ValueError(f"det_masks has {len(masks)} masks for {len(boxes)} boxes")
    rows = Rows()
    for box, label, mask in zip(boxes.tolist(), labels.tolist(), masks, strict=True):
        if mask is not None and not isinstance(mask, Mapping):
            raise ValueError("det_masks must be run lengths: dicts of 'counts' and 'size'")
        rows.add(box[:4], box[4] if len(box) == 5 else 1, label, mask)
    return rows
