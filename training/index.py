"""Which images there are: listed once, cached, small in memory for any number of them.

An image belongs to the data set when a JSON file of the same name lies beside it, or at the same
place below a second folder. Folders may be nested; hidden files and folders are left out.

A cached list holds as long as no folder's modification time changes, which adding, removing and
renaming files does. What is *in* the files may change: it is read anew each time.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from tqdm import tqdm

from training.listing import Listing, Writer
from training.walk import walk


@dataclass(frozen=True)
class ImageFolder:
    """A source of images. segments: where the JSON files are, if not beside the images.

    weight: an image from a source of weight 2 is drawn twice as often as one of weight 1.
    """

    images: Path
    segments: Path | None = None
    weight: float = 1


class Index:
    """All images of some sources, numbered from 0 in an order that no file system can change.

    Its arrays are mapped into memory, so that all workers share them. digest: changes with the
    list, so that a resumed run can tell that its data are the same.
    """

    def __init__(self, folders: Sequence[ImageFolder], listings: Sequence[Listing]) -> None:
        self.folders = list(folders)
        self._listings = list(listings)
        counts = [len(listing) for listing in listings]
        self._first = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        weights = np.array([folder.weight for folder in folders], float)
        if not (np.isfinite(weights) & (weights > 0)).all():
            raise ValueError(f"weights of folders are positive numbers, not {weights.tolist()}")
        mass = np.cumsum(weights * counts)
        self._share = mass / mass[-1]
        digests = "".join(listing.digest for listing in listings)
        self.digest = hashlib.sha256(digests.encode()).hexdigest()

    def __len__(self) -> int:
        return int(self._first[-1])

    @property
    def without_segments(self) -> int:
        """Number of images that were left out because they have no JSON file."""
        return sum(listing.left_out for listing in self._listings)

    def image_path(self, number: int) -> Path:
        folder, name = self._locate(number)
        return Path(folder.images, name)

    def json_path(self, number: int) -> Path:
        folder, name = self._locate(number)
        return Path(folder.segments or folder.images, name).with_suffix(".json")

    def draw(self, rng: np.random.RandomState) -> int:
        """The number of a random image: first a source, then any of its images."""
        source = int(np.searchsorted(self._share, rng.random_sample(), side="right"))
        source = min(source, len(self._listings) - 1)
        return int(self._first[source] + rng.randint(len(self._listings[source]), dtype=np.int64))

    def _locate(self, number: int) -> tuple[ImageFolder, str]:
        if not 0 <= number < len(self):
            raise IndexError(f"image {number} of {len(self)}")
        source = int(np.searchsorted(self._first, number, side="right")) - 1
        return self.folders[source], self._listings[source][number - int(self._first[source])]


def open_index(
    folders: Sequence[str | Path | ImageFolder],
    weights: Sequence[float] | None = None,
    cache: str | Path | None = None,
) -> Index:
    """The index of some folders with images and segments.

    weights: of the folders, as in `ImageFolder`. cache: folder for the lists; by default that of
    this program among the user's caches.

    Raises ValueError for a folder without images that have segments, and for impossible weights.
    """
    sources = [
        item if isinstance(item, ImageFolder) else ImageFolder(Path(item)) for item in folders
    ]
    if not sources:
        raise ValueError("no folder of images was given")
    if weights is not None:
        if len(weights) != len(sources):
            raise ValueError(f"{len(sources)} folders and {len(weights)} weights")
        sources = [
            ImageFolder(source.images, source.segments, weight)
            for source, weight in zip(sources, weights, strict=True)
        ]
    place = Path(cache) if cache else _default_cache()
    return Index(sources, [_listing(source, place) for source in sources])


def _default_cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "masa_ros" / "index"


def _listing(source: ImageFolder, cache: Path) -> Listing:
    images, segments = (
        path.resolve() for path in (source.images, source.segments or source.images)
    )
    for folder in (images, segments):
        if not folder.is_dir():
            raise ValueError(f"{folder} is no folder")
    key = hashlib.sha256(os.fsencode(images) + b"\0" + os.fsencode(segments)).hexdigest()
    path = cache / f"{key[:24]}.list"
    try:
        listing = Listing(path)
        if not listing.still_holds():
            listing = _listed(images, segments, path)
    except (OSError, ValueError):  # none yet, or not one of ours
        listing = _listed(images, segments, path)
    if not len(listing):
        raise ValueError(
            f"no image in {images} has segments, and {listing.left_out} have none: "
            f"`python -m training.segments {images}` makes them"
        )
    return listing


def _writer(path: Path) -> Writer:
    try:
        return Writer(path)
    except OSError as error:
        raise OSError(
            f"the list of images cannot be written to {path.parent} ({error.strerror}): name "
            "another folder for caches in XDG_CACHE_HOME"
        ) from error


def _listed(images: Path, segments: Path, path: Path) -> Listing:
    """Lists the images anew."""
    with (
        _writer(path) as writer,
        tqdm(desc=f"listing {images}", unit=" images", leave=False, disable=None) as bar,
    ):
        for contents in walk(images, segments):
            writer.folders |= contents.times
            for name in contents.images:
                if os.path.splitext(name)[0] in contents.stems:
                    writer.add(os.path.join(contents.place, name))
                else:
                    writer.left_out += 1
            bar.update(len(contents.images))
    return Listing(path)
