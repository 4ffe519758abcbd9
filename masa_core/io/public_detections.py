"""Detections from a file in place of a detector's ("given observations"), frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from masa_core.io.detection_entries import DetectionFileError, Entry
from masa_core.io.detection_json import read_json
from masa_core.io.detection_pickles import SUFFIXES, read_pickles
from masa_core.io.detection_txt import read_mot
from masa_core.io.source import Source, SourceFrame
from masa_core.structures import Detections
from masa_core.wording import nearest


class PublicDetections:
    """The detections of one video.

    classes: names of the labels; empty where the file names none.
    """

    def __init__(
        self, path: Path, classes: Sequence[str], entries: Sequence[Entry], named: bool
    ) -> None:
        self.classes = tuple(classes)
        self._path = path
        self._named = named
        self._entries: dict[str | int, Detections] = {}
        for entry in entries:
            key = _stem(entry.name) if named else entry.index
            if key is None:
                raise DetectionFileError(
                    f"{path} says of {entry.name or 'some frames'} no frame number, only the name "
                    "of an image: track the folder of these images instead of a video"
                )
            if key in self._entries:
                raise DetectionFileError(f"{path} has two entries for frame {key}")
            self._entries[key] = entry.detections
        self._unused = set(self._entries)
        self._unlisted = 0

    def at(self, frame: SourceFrame) -> Detections:
        """The detections of a frame of the source; none where the file does not list it."""
        key = _stem(frame.name) if self._named else frame.index
        self._unused.discard(key)
        if key not in self._entries:
            self._unlisted += 1
            return Detections.empty()
        return self._entries[key]

    def leftovers(self) -> str:
        """What of the file and of the frames did not meet so far: a sentence, or nothing.

        Text files and lists do not tell frames without detections from frames that they do not
        know: there, only what no frame asked for is named.
        """
        parts = []
        if self._unused:
            some = ", ".join(map(str, sorted(self._unused, key=str)[:3]))
            parts.append(f"{len(self._unused)} of its frames were not in the source (as {some})")
        if self._unlisted and self._named:
            parts.append(f"{self._unlisted} frames of the source are not in it")
        return f"{self._path}: {'; '.join(parts)}" if parts else ""


def read_detections(
    path: str | Path, source: Source, video: str | None = None, images: str | Path | None = None
) -> PublicDetections:
    """The detections of a source, from any of these:

    * MOTChallenge text (.txt): frame, id, left, top, width, height, score
    * Scalabel JSON as of BDD100K, a COCO data set, or COCO results with their data set in `images`
    * a pickle, or a folder with a pickle a frame, as published by the authors of MASA; read
      without running code from it

    Entries find their frames by file name where the source is a folder of images and the file has
    names, else by their number, and in a bag by their stamp in ns where they have no number.
    video: which of the videos in the file; needed where it has several.

    Raises DetectionFileError when the file cannot be used, with the place and the reason.
    """
    path = Path(path)
    if not path.exists():
        raise DetectionFileError(f"{path} does not exist")
    classes: tuple[str, ...] = ()
    if path.is_dir() or path.suffix in SUFFIXES:
        entries = read_pickles(path)
    elif path.suffix == ".json":
        classes, entries = read_json(path, None if images is None else Path(images))
    elif path.suffix == ".txt":
        entries = read_mot(path)
    else:
        raise DetectionFileError(
            f"{path} is not a file of detections that is known: .txt, .json, .pkl or a folder"
        )
    entries = _of_video(path, entries, video)
    if not entries:
        raise DetectionFileError(f"{path} holds no detections")
    numbered = all(entry.index is not None for entry in entries)
    by_name = source.kind == "folder" or (source.kind == "bag" and not numbered)
    named = by_name and all(entry.name for entry in entries)
    return PublicDetections(path, classes, entries, named)


def _of_video(path: Path, entries: list[Entry], video: str | None) -> list[Entry]:
    videos = sorted({entry.video for entry in entries})
    if video is None:
        if len(videos) > 1:
            some = ", ".join(videos[:3])
            raise DetectionFileError(
                f"{path} holds {len(videos)} videos: say which one to take ({some}, ...)"
            )
        return entries
    if video not in videos:
        raise DetectionFileError(f"{path} has no video {video!r}{nearest(video, videos)}")
    return [entry for entry in entries if entry.video == video]


def _stem(name: str) -> str:
    """Without folders and suffix: detections of a.png may come as a.pkl."""
    return PurePosixPath(name.replace("\\", "/")).stem
