"""What the tracker said of each image, and the files of it that are written and scored."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from masa_core.evaluation.bag.truth import Truth
from masa_core.evaluation.formats_scalabel import FrameLabels
from masa_core.evaluation.results import paint_masks
from masa_core.io.atomic import AtomicText
from masa_core.io.coco_rle import to_coco_rle
from masa_core.io.writers import class_name
from masa_core.masks import encode_mask
from masa_core.structures import Mask, Tracks

# The class under which a label is scored, None where it is left out.
Rename = Callable[[str], str | None]


@dataclass(frozen=True)
class Answer:
    """The tracks of one image, N rows: ids as texts, unique over the drive, names of classes,
    boxes x1, y1, x2, y2 in pixels, scores, and masks where the tracker gives them."""

    ids: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    boxes: list[list[float]] = field(default_factory=list)
    scores: list[float] = field(default_factory=list)
    masks: list[Mask] | None = None


def answer_of(tracks: Tracks, classes: Sequence[str], epoch: int = 0) -> Answer:
    """classes: names of the labels. Ids of a later epoch are written "epoch.id"."""
    before = f"{epoch}." if epoch else ""
    return Answer(
        [f"{before}{track_id}" for track_id in tracks.ids.tolist()],
        [class_name(label, classes) for label in tracks.labels.tolist()],
        tracks.boxes.tolist(),
        tracks.scores.tolist(),
        tracks.masks,
    )


def answers_at(truth: Truth, by_image: Mapping[int, Answer]) -> list[Answer]:
    """The answer to each labelled image; an empty one where there was none."""
    return [by_image.get(image, Answer()) for image in truth.images]


def write_truth(path: Path, truth: Truth, rename: Rename = str) -> None:
    """Scalabel JSON of the labels that are scored."""
    _write(path, truth, ((_labels(frame, rename)) for frame in truth.frames))


def write_answers(
    path: Path,
    truth: Truth,
    answers: Sequence[Answer],
    rename: Rename = str,
    masks: bool = True,
) -> None:
    """Scalabel JSON with a frame for each labelled image, numbered as in `write_truth`.

    Tracks have masks where they and the truth do, unless `masks` is False. In BDD100K these may not
    overlap: the track with the higher score has the pixel, and one that has none left has no mask.
    """
    size = truth.mask_size if masks else None
    _write(path, truth, (_tracks(answer, rename, size) for answer in answers))


def _labels(frame: FrameLabels, rename: Rename) -> list[dict[str, Any]]:
    rles = frame.rles or [None] * len(frame.ids)
    rows = zip(
        frame.ids, frame.categories, frame.shapes, rles, frame.crowd, frame.ignored, strict=True
    )
    return [
        {
            "id": label_id,
            "category": name,
            "attributes": {"crowd": crowd, "ignored": ignored},
            "box2d": _box2d(box),
            **({"rle": rle} if rle is not None else {}),
        }
        for label_id, category, box, rle, crowd, ignored in rows
        if (name := rename(category)) is not None
    ]


def _tracks(answer: Answer, rename: Rename, size: tuple[int, int] | None) -> list[dict[str, Any]]:
    names = [rename(category) for category in answer.categories]
    kept = [row for row, name in enumerate(names) if name is not None]
    labels: list[dict[str, Any]] = [
        {
            "id": answer.ids[row],
            "category": names[row],
            "score": answer.scores[row],
            "box2d": _box2d(answer.boxes[row]),
        }
        for row in kept
    ]
    if size is not None and answer.masks is not None:
        masks = [answer.masks[row] for row in kept]
        owners = paint_masks(masks, [answer.scores[row] for row in kept], *size)
        for number, label in enumerate(labels):
            pixels = owners == number
            if pixels.any():
                label["rle"] = to_coco_rle(encode_mask(pixels), *size)
    return labels


def _box2d(box: Any) -> dict[str, float]:
    return dict(zip(("x1", "y1", "x2", "y2"), box, strict=True))


def _write(path: Path, truth: Truth, labels: Iterable[list[dict[str, Any]]]) -> None:
    with AtomicText(path) as file:
        separator = '{"frames": [\n'
        for frame, stamp_ns, rows in zip(truth.frames, truth.stamps_ns, labels, strict=True):
            entry = {
                "name": frame.name,
                "videoName": truth.name,
                "frameIndex": frame.index,
                "timestamp": stamp_ns // 1_000_000,
                "attributes": {"stamp_ns": str(stamp_ns)},
                "labels": rows,
            }
            file.write(separator + json.dumps(entry))
            separator = ",\n"
        file.write("\n]}\n")
