"""A video with true boxes and identities: what embeddings are judged on."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from masa_core.evaluation.bag.camera import read_camera
from masa_core.evaluation.bag.truth import TruthOptions, read_truth
from masa_core.evaluation.formats_mot import read_mot
from masa_core.io import SourceError, open_source

Rows = tuple[NDArray[np.float32], NDArray[np.int64]]  # boxes (N, 4) xyxy px, ids (N,)


@dataclass(frozen=True, eq=False)
class LabelledFrame:
    """image: (H, W, 3) uint8 BGR. boxes: (N, 4) float32 xyxy px. ids: (N,) int64, N above 0."""

    time_s: float  # since the first frame of the clip
    image: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    ids: NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Clip:
    """source: video, folder or bag. labels: by index of the frame in it, from 0."""

    source: Path
    labels: dict[int, Rows]

    def frames(self, every_s: float = 0.0) -> Iterator[LabelledFrame]:
        """The labelled frames in order, each at least ``every_s`` after the one before.

        Raises SourceError where the source cannot be opened or read.
        """
        with open_source(self.source) as source:
            first_ns, due_s = None, 0.0
            for frame in source:
                first_ns = frame.stamp_ns if first_ns is None else first_ns
                time_s = (frame.stamp_ns - first_ns) * 1e-9
                if frame.index in self.labels and time_s >= due_s - 1e-3:
                    due_s += every_s * (1 + (time_s - due_s) // every_s) if every_s else 0.0
                    yield LabelledFrame(time_s, frame.image, *self.labels[frame.index])


def open_clip(source: str | Path, truth: str | Path = "") -> Clip:
    """A clip and its truth: MOTChallenge gt.txt of a video or folder; or of a bag a file or topic
    as `masa evaluate` takes them, by default truth.json in the bag's folder (of `masa drive`).

    Raises FormatError, SourceError and OSError where they cannot be read.
    """
    source = Path(source)
    if truth and Path(truth).suffix == ".txt" and not (source / "metadata.yaml").exists():
        return Clip(source, _mot(Path(truth)))
    with open_source(source) as opened:
        if opened.kind != "bag":
            raise SourceError(
                f"{source} is a {opened.kind}: name its truth, too, a gt.txt of MOTChallenge"
            )
    camera = read_camera(source, None)
    found = read_truth(camera, str(truth or source / "truth.json"), TruthOptions())
    numbers: dict[str, int] = {}
    labels = {}
    for image, frame in zip(found.images, found.frames, strict=True):
        ids = [numbers.setdefault(name, len(numbers) + 1) for name in frame.ids]
        if ids:
            labels[image] = np.array(frame.shapes, np.float32), np.array(ids, np.int64)
    return Clip(source, labels)


def clip_of(paths: Sequence[Path]) -> Clip:
    """`open_clip` for what stands behind --clip. Raises ValueError where that is too much."""
    if len(paths) > 2:
        raise ValueError(f"--clip takes a clip and its truth, not {len(paths)} paths: repeat it")
    return open_clip(*paths)


def add_clips(parser: argparse.ArgumentParser) -> None:
    """Adds --clip, which may be repeated: each a list of paths for `open_clip`."""
    parser.add_argument(
        "--clip",
        type=Path,
        nargs="+",
        action="append",
        required=True,
        metavar="PATH",
        help="video or folder and its gt.txt (MOTChallenge), or a bag with truth; may be repeated",
    )


def _mot(path: Path) -> dict[int, Rows]:
    rows = read_mot(path, truth=True)
    boxes = np.concatenate((rows.boxes[:, :2], rows.boxes[:, :2] + rows.boxes[:, 2:]), axis=1)
    counted = rows.scores > 0
    labels = {}
    for frame in np.unique(rows.frames[counted]).tolist():
        here = counted & (rows.frames == frame)
        labels[frame - 1] = boxes[here].astype(np.float32), rows.ids[here]
    return labels
