"""What lies in a data set's folders."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from masa_core.io.folder import IMAGE_SUFFIXES


@dataclass(frozen=True)
class Contents:
    """Of one folder. place: its path below the data set's. images: file names, sorted.

    doubles: images that share their JSON file with one of `images` (a.png beside a.jpg), and are
    left out for that. stems: names of the JSON files of this folder, without ".json".
    times: of the folder and of that with the JSON files, as `folder_time` gives them.
    """

    place: str
    images: list[str]
    doubles: list[str]
    stems: set[str]
    times: dict[str, int]


def walk(images: str | Path, segments: str | Path | None = None) -> Iterator[Contents]:
    """The folders from `images` down, in an order that no file system can change.

    segments: where the JSON files are, in the same tree of folders, if not beside the images.
    Hidden files and folders are left out; links to folders are followed, each folder once.
    """
    waiting = [""]
    seen: set[tuple[int, int]] = set()
    while waiting:
        place = waiting.pop()
        folder, other = (os.path.join(root, place) for root in (images, segments or images))
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:  # a link back
            continue
        seen.add((status.st_dev, status.st_ino))
        times = {folder: status.st_mtime_ns, other: folder_time(other)}  # before they are read
        folders, files = [], []
        with os.scandir(folder) as entries:
            for entry in entries:
                if not entry.name.startswith("."):
                    (folders if entry.is_dir() else files).append(entry.name)
        others = files
        if other != folder:
            others = os.listdir(other) if times[other] >= 0 else []
        found = sorted(n for n in files if os.path.splitext(n)[1].lower() in IMAGE_SUFFIXES)
        by_stem: dict[str, str] = {}
        for name in found:
            by_stem.setdefault(os.path.splitext(name)[0], name)
        chosen = list(by_stem.values())
        doubles = sorted(set(found) - set(chosen))
        stems = {n[:-5] for n in others if n.endswith(".json") and not n.startswith(".")}
        yield Contents(place, chosen, doubles, stems, times)
        waiting += [os.path.join(place, name) for name in sorted(folders, reverse=True)]


def folder_time(folder: str) -> int:
    """When a folder's list of files was last changed, in ns; -1 where there is none."""
    try:
        return os.stat(folder).st_mtime_ns
    except OSError:
        return -1
