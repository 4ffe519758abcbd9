"""Scalabel JSON, the format of BDD100K: frames with labels, boxes and RLE masks.

A file holds ``{"frames": [...]}`` or the list of frames itself; a folder holds several files. A
frame needs ``videoName`` and ``frameIndex``; a label ``id``, ``category`` and ``box2d`` (x1, y1,
x2, y2) or ``rle`` (COCO's compressed counts). Unknown fields are left alone.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass, field
from itertools import pairwise
from math import isfinite
from pathlib import Path
from typing import Any

from masa_core.evaluation.errors import FormatError
from masa_core.evaluation.json_files import Reader, load_json, read_list

_EDGES = ("x1", "y1", "x2", "y2")

Rle = dict[str, Any]  # {"counts": str, "size": [height, width]}


@dataclass
class FrameLabels:
    """The labels of one frame that have the wanted geometry, N rows.

    ids: N texts as in the file. categories: N names as in the file. crowd, ignored: N flags.
    shapes: N boxes x1, y1, x2, y2 as in the file, or N masks where masks are read.
    rles: the masks of labels whose boxes are read, None where one has none; empty if not known.
    stamp_ns: of ``attributes.stamp_ns``, which this project's writer adds, or else of ``timestamp``
    in milliseconds; None without either.
    """

    name: str
    index: int
    ids: list[str] = field(default_factory=list)
    categories: list[str] = field(default_factory=list)
    crowd: list[bool] = field(default_factory=list)
    ignored: list[bool] = field(default_factory=list)
    shapes: list[list[float]] | list[Rle] = field(default_factory=list)
    stamp_ns: int | None = None
    rles: list[Rle | None] = field(default_factory=list)


def read_scalabel(path: Path, masks: bool = False) -> dict[str, list[FrameLabels]]:
    """Videos by name, each with its frames in order. ``masks`` reads ``rle`` in place of boxes.

    Labels without the wanted geometry are left out, as BDD100K's evaluators do, with a warning.
    Raises FileNotFoundError and FormatError with the place in the file.
    """
    files = [path]
    if path.is_dir():
        files = sorted([*path.glob("*.json"), *path.glob("*.json.gz")])
        if not files:
            raise FileNotFoundError(f"{path} holds no .json file")
    videos: dict[str, list[FrameLabels]] = {}
    lost = 0
    for file in files:
        for frame in _frames(file):
            labels = _read_frame(frame, masks)
            lost += len(frame.get("labels") or ()) - len(labels.ids)
            videos.setdefault(frame.field("videoName", str), []).append(labels)
    if lost:
        what = "rle" if masks else "box2d"
        warnings.warn(f"{path}: {lost} labels have no {what} and are left out", stacklevel=2)
    for name, frames in videos.items():
        frames.sort(key=lambda item: item.index)
        for before, after in pairwise(frames):
            if before.index == after.index:
                raise FormatError(path, f"video {name} has frameIndex {after.index} twice")
    return dict(sorted(videos.items()))


def _frames(path: Path) -> list[Reader]:
    content = load_json(path)
    if isinstance(content, list):
        return read_list(path, "frames", content)
    return Reader(path, "", content).objects("frames")


def _read_frame(frame: Reader, masks: bool) -> FrameLabels:
    read = FrameLabels(str(_present(frame, "name")), frame.field("frameIndex", int))
    read.stamp_ns = _stamp_ns(frame)
    shapes: list[Any] = []
    for label in [] if frame.get("labels") is None else frame.objects("labels"):
        shape = _rle(label) if masks else _box(label)
        if shape is None:
            continue
        attributes = label.get("attributes") or {}
        if not masks:
            read.rles.append(_rle(label) if label.get("rle") is not None else None)
        read.ids.append(str(_present(label, "id")))
        read.categories.append(label.field("category", str))
        read.crowd.append(bool(attributes.get("crowd", False)))
        read.ignored.append(bool(attributes.get("ignored", False)))
        shapes.append(shape)
    read.shapes = shapes
    return read


def _stamp_ns(frame: Reader) -> int | None:
    exact = (frame.get("attributes") or {}).get("stamp_ns")
    if exact is not None:
        if not str(exact).isdecimal():
            raise frame.error(f"is {exact!r}, not a number of nanoseconds", "attributes.stamp_ns")
        return int(exact)
    if frame.get("timestamp") is None:
        return None
    return round(frame.number("timestamp") * 1e6)


def _present(reader: Reader, name: str) -> Any:
    value = reader.get(name)
    if value is None:
        raise reader.error(f"has no {name!r}")
    return value


def _box(label: Reader) -> list[float] | None:
    value = label.get("box2d")
    if value is None:
        return None
    try:
        edges = [float(value[name]) for name in _EDGES]
        if all(map(isfinite, edges)) and not any(isinstance(value[name], str) for name in _EDGES):
            return edges
    except (KeyError, TypeError, ValueError):
        pass
    box = Reader(label.path, f"{label.place}.box2d", value)  # says what is wrong
    return [box.number(name) for name in _EDGES]


def _rle(label: Reader) -> Rle | None:
    if label.get("rle") is None:
        if label.get("poly2d"):
            raise label.error("has a poly2d and no rle: masks are scored as RLE or bitmasks")
        return None
    rle = Reader(label.path, f"{label.place}.rle", label.get("rle"))
    height, width = rle.numbers("size", 2).astype(int).tolist()
    read = {"counts": rle.field("counts", str), "size": [height, width]}
    rle.run_lengths()
    return read
