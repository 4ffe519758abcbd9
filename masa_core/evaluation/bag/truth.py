"""The truth of a drive: labels with stamps, from a topic of the bag or from a file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from masa_core.evaluation.bag.camera import Camera
from masa_core.evaluation.bag.stamps import NO_IMAGE, match_stamps
from masa_core.evaluation.bag.truth_kitti import KITTI_HZ, read_kitti_truth
from masa_core.evaluation.errors import FormatError
from masa_core.evaluation.formats_scalabel import FrameLabels, read_scalabel
from masa_core.io.bag import BagReader
from masa_core.io.message_stamps import header_stamp_ns
from masa_core.io.source import SourceError
from masa_core.io.track_messages import TRACK_ARRAY, tracks_of
from masa_core.wording import nearest

BDD_HZ = 5.0  # at which BDD100K labels its videos
_DAY_NS = 86_400_000_000_000
_SHOWN = 5  # labels that are named where many are lost


@dataclass(frozen=True)
class TruthOptions:
    """video: which of a Scalabel file's. rate: labels per second, or "images" where label k
    belongs to the k-th image, for files without stamps; None chooses. offset_s is added to the
    stamps. within_s: how far apart the stamps of label and image may be; None: half a frame."""

    video: str | None = None
    rate: float | str | None = None
    offset_s: float = 0.0
    within_s: float | None = None


@dataclass(frozen=True)
class Truth:
    """The labels that are scored, each with its image.

    frames: of the labels, their index counted from 0. images: index of each one's image in the
    bag. stamps_ns: of these images. clock: how the labels got their stamps. unmatched: what was
    labelled where the bag has no image.
    """

    name: str
    frames: list[FrameLabels]
    images: list[int]
    stamps_ns: list[int]
    clock: str
    unmatched: list[str]
    within_ns: int

    @property
    def mask_size(self) -> tuple[int, int] | None:
        """Height and width of the images, px, where every label has a mask; else None."""
        rles = [rle for frame in self.frames for rle in frame.rles]
        labels = sum(len(frame.ids) for frame in self.frames)
        sizes = {tuple(rle["size"]) for rle in rles if rle is not None}
        if None in rles or len(rles) < labels or len(sizes) != 1:
            return None
        height, width = sizes.pop()
        return int(height), int(width)

    @property
    def losses(self) -> list[str]:
        if not self.unmatched:
            return []
        more = ", ..." if len(self.unmatched) > _SHOWN else ""
        shown = ", ".join(self.unmatched[:_SHOWN])
        return [
            f"{len(self.unmatched)} of {len(self.unmatched) + len(self.frames)} labelled frames "
            f"have no image within {self.within_ns / 1e6:.1f} ms and are not scored: {shown}{more}"
        ]


def read_truth(camera: Camera, source: str, options: TruthOptions) -> Truth:
    """The truth in a file (Scalabel JSON, KITTI tracking labels) or on a topic of tracks.

    Raises FormatError and SourceError where it cannot be read, and SourceError where it does not
    belong to the bag: not one label meets an image.
    """
    if Path(source).exists():
        name, frames, label_hz = _from_file(Path(source), options.video, camera.bag.name)
    elif source.startswith("/"):
        name, label_hz = source, BDD_HZ
        frames = _from_topic(camera.bag, source)
    else:
        raise SourceError(f"{source}: there is no such file, and topics begin with /")
    if not any(frame.ids for frame in frames):
        raise SourceError(f"{source} holds no labels with boxes")
    stamps_ns, clock = _stamps(frames, camera, options, label_hz)
    stamps_ns = stamps_ns + round(options.offset_s * 1e9)
    within_ns = camera.period_ns // 2
    if options.within_s is not None:
        within_ns = round(options.within_s * 1e9)
    images = match_stamps(stamps_ns, camera.stamps_ns, within_ns)
    if (images == NO_IMAGE).all():
        raise SourceError(_strangers(source, stamps_ns, camera, within_ns))
    met = [(i, image) for i, image in enumerate(images.tolist()) if image != NO_IMAGE]
    met.sort(key=lambda pair: int(camera.stamps_ns[pair[1]]))
    return Truth(
        name,
        [replace(frames[i], index=number) for number, (i, _) in enumerate(met)],
        [image for _, image in met],
        [int(camera.stamps_ns[image]) for _, image in met],
        clock,
        [
            f"{frames[i].name} at {(stamps_ns[i] - camera.stamps_ns.min()) / 1e9:.3f} s"
            for i in np.flatnonzero(images == NO_IMAGE).tolist()
        ],
        within_ns,
    )


def _from_file(path: Path, video: str | None, bag: str) -> tuple[str, list[FrameLabels], float]:
    """Name, labels, and the rate at which such files are labelled."""
    if path.suffix == ".txt":
        return path.stem, read_kitti_truth(path), KITTI_HZ
    videos = read_scalabel(path)
    if not videos:
        raise FormatError(path, "holds no frames")
    if video is None and len(videos) > 1:
        if bag not in videos:
            known = ", ".join(list(videos)[:_SHOWN])
            reason = f"holds {len(videos)} videos and none is named {bag}: name one ({known})"
            raise FormatError(path, reason)
        video = bag
    if video is not None and video not in videos:
        raise FormatError(path, f"has no video {video!r}{nearest(video, list(videos))}")
    name = video if video is not None else next(iter(videos))
    return name, videos[name], BDD_HZ


def _from_topic(bag: Path, topic: str) -> list[FrameLabels]:
    with BagReader(bag) as reader:
        known = [name for name, kind in reader.topics.items() if kind == TRACK_ARRAY]
        if topic not in known:
            there = nearest(topic, known) if known else "; it has no masa_ros/TrackArray"
            raise SourceError(f"{bag} has no truth on {topic!r}{there}")
        frames = []
        for index, message in enumerate(reader.messages(topic)):
            content = reader.decode(message)
            tracks, stamp_ns = tracks_of(content), header_stamp_ns(content)
            nothing = [False] * len(tracks)
            frames.append(
                FrameLabels(
                    str(stamp_ns),
                    index,
                    [str(track_id) for track_id in tracks.ids.tolist()],
                    [track.class_id or str(track.label) for track in content.tracks],
                    nothing,
                    nothing,
                    tracks.boxes.tolist(),
                    stamp_ns,
                )
            )
    return frames


def _stamps(
    frames: list[FrameLabels], camera: Camera, options: TruthOptions, label_hz: float
) -> tuple[NDArray[np.int64], str]:
    """(L,) stamps on the clock of the images, and how they were found."""
    first_ns, last_ns = int(camera.stamps_ns.min()), int(camera.stamps_ns.max())
    given = [frame.stamp_ns for frame in frames if frame.stamp_ns is not None]
    if options.rate is None and len(given) == len(frames) == len(set(given)):
        stamps_ns = np.array(given, np.int64)
        if stamps_ns.max() < min(first_ns, _DAY_NS):  # of no clock
            return stamps_ns + first_ns, "its stamps, counted from the first image"
        return stamps_ns, "its stamps"
    numbers = np.array([frame.index for frame in frames], np.int64)
    rate = options.rate
    if rate is None:  # as many labels a second as images: each image is labelled
        image_hz = 1e9 / max(camera.period_ns, 1)
        rate = "images" if image_hz < 1.5 * label_hz else label_hz
    if not isinstance(rate, str):
        return first_ns + np.rint(numbers * (1e9 / rate)).astype(np.int64), f"{rate:g} labels a s"
    ordered = np.sort(camera.stamps_ns)
    beyond = last_ns + camera.period_ns * (numbers - len(ordered) + 1)
    inside = ordered[np.minimum(numbers, len(ordered) - 1)]
    return np.where(numbers < len(ordered), inside, beyond), "label k is of image k"


def _strangers(source: str, stamps_ns: NDArray[np.int64], camera: Camera, within_ns: int) -> str:
    spans = [
        f"{values.min() / 1e9:.3f} to {values.max() / 1e9:.3f} s"
        for values in (stamps_ns, camera.stamps_ns)
    ]
    return (
        f"{source} is not the truth of {camera.bag}: its stamps are {spans[0]}, those of the "
        f"images {spans[1]}, and no two are within {within_ns / 1e6:.1f} ms; an offset between the "
        "clocks can be given with --truth-offset"
    )
