"""Detections of JSON files: Scalabel (BDD100K), COCO data sets and COCO results."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from masa_core.io.detection_entries import DetectionFileError, Entry, Rows

Read = tuple[tuple[str, ...], list[Entry]]  # class names in the order of the labels, and frames


def read_json(path: Path, images: Path | None = None) -> Read:
    """Any of the three formats, told apart by what is in the file.

    images: the COCO data set that the image ids of COCO results are of.
    Raises DetectionFileError with the place and the reason where the file is not as it should be.
    """
    content = _load(path)
    first = content[0] if isinstance(content, list) and content else content
    if isinstance(content, list) and isinstance(first, dict) and "image_id" in first:
        if images is None:
            raise DetectionFileError(
                f"{path} holds COCO results, which name images by number only: give the data set "
                "that they are of (the JSON with 'images') too"
            )
        with _place(images, "top level"):
            return _coco(path, {**_load(images), "annotations": content})
    if isinstance(content, list):
        return _scalabel(path, content, {})
    if isinstance(content, dict) and "frames" in content:
        return _scalabel(path, content["frames"], content.get("config") or {})
    if isinstance(content, dict) and "images" in content:
        return _coco(path, content)
    raise DetectionFileError(
        f"{path} is neither Scalabel (it has no 'frames') nor COCO (it has no 'images')"
    )


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except json.JSONDecodeError as error:
        raise DetectionFileError(
            f"{path}:{error.lineno}: not JSON: {error.msg} (column {error.colno})"
        ) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise DetectionFileError(f"{path}: not JSON: {error}") from error


@contextmanager
def _place(path: Path, place: str) -> Iterator[None]:
    """Names the place in the error of whatever does not look as it should there."""
    try:
        yield
    except DetectionFileError:
        raise
    except KeyError as error:
        raise DetectionFileError(f"{path}: {place}: {error} is missing") from error
    except ValueError as error:
        raise DetectionFileError(f"{path}: {place}: {error}") from error
    except (TypeError, AttributeError) as error:
        raise DetectionFileError(f"{path}: {place}: not as the format has it ({error})") from error


def _scalabel(path: Path, frames: Any, config: Any) -> Read:
    """Edges of `box2d` are taken as they stand. A label without a score gets 1."""
    with _place(path, "config"):
        named = list(_leaves(config.get("categories") or []))
    used = set()
    with _place(path, "frames"):
        for i, frame in enumerate(frames):
            for j, label in enumerate(frame.get("labels") or ()):
                with _place(path, f"frame {i}, label {j}"):
                    used.add(label["category"])
        classes = tuple(named or sorted(used))
        numbers = {name: label for label, name in enumerate(classes)}
    entries = []
    for i, frame in enumerate(frames):
        rows = Rows()
        name = frame.get("name") or ""
        for j, label in enumerate(frame.get("labels") or ()):
            with _place(path, f"frame {i} ({name}), label {j}"):
                if label["category"] not in numbers:
                    raise ValueError(f"category {label['category']!r} is not one of config")
                box = [label["box2d"][edge] for edge in ("x1", "y1", "x2", "y2")]
                score = label.get("score", 1)
                rows.add(box, score, numbers[label["category"]], label.get("rle"))
        with _place(path, f"frame {i} ({name})"):
            index = _number(frame, "frameIndex", "frame_index")
            video = str(frame.get("videoName") or frame.get("video_name") or "")
            entries.append(Entry(rows.detections(), str(name), index, video))
    return classes, entries


def _leaves(categories: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Names of a tree of categories without those that only group others."""
    for category in categories:
        if category.get("subcategories"):
            yield from _leaves(category["subcategories"])
        else:
            yield str(category["name"])


def _coco(path: Path, content: Mapping[str, Any]) -> Read:
    """Label i is the i-th category by id. Of segmentations, run lengths are read, no polygons.

    Annotations of crowds are left out: they are no objects. A missing score is 1.
    """
    with _place(path, "categories"):
        categories = sorted((c["id"], str(c["name"])) for c in content["categories"])
        numbers = {number: label for label, (number, _) in enumerate(categories)}
    with _place(path, "videos"):
        videos = {video["id"]: str(video["name"]) for video in content.get("videos") or ()}
    frames: dict[Any, Rows]
    with _place(path, "images"):
        frames = {image["id"]: Rows() for image in content["images"]}
    with _place(path, "annotations"):
        annotations = list(content.get("annotations") or ())
    for i, annotation in enumerate(annotations):
        with _place(path, f"annotation {i}"):
            if annotation.get("iscrowd"):
                continue
            if annotation["image_id"] not in frames:
                raise ValueError(f"image_id {annotation['image_id']} is not one of images")
            if annotation["category_id"] not in numbers:
                raise ValueError(
                    f"category_id {annotation['category_id']} is not one of categories"
                )
            left, top, width, height = annotation["bbox"]
            mask = annotation.get("segmentation")
            frames[annotation["image_id"]].add(
                (left, top, left + width, top + height),
                annotation.get("score", 1),
                numbers[annotation["category_id"]],
                mask if isinstance(mask, dict) else None,
            )
    entries = []
    for i, image in enumerate(content["images"]):
        with _place(path, f"image {i}"):
            name = str(image["file_name"])
            index = _number(image, "frame_index", "frame_id")
            folder = str(PurePosixPath(name.replace("\\", "/")).parent)
            video = videos.get(image.get("video_id"), "" if folder == "." else folder)
            entries.append(Entry(frames[image["id"]].detections(), name, index, video))
    return tuple(name for _, name in categories), entries


def _number(entry: Mapping[str, Any], *keys: str) -> int | None:
    """The first of the keys that is there, an index from 0."""
    for key in keys:
        value = entry.get(key)
        if value is not None:
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                raise ValueError(f"{key} is {value!r}, expected a number from 0 on")
            return value
    return None
