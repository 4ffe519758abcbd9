"""A pool of views: what a frozen network makes of them, and the segments to learn there.

The network does not change, so its maps are computed once, written to disk, and read by every run
after that. All views have one size, so that any of them go into one batch.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from masa_core.runtime.bundle import read_bundle
from masa_core.runtime.session import open_session
from training.heads.draw import GRID, SIDE, SegmentRow, draw_view

# What heads may read: the input of the bundle's image graph, and maps; name -> channels, stride.
TAPS = {
    "image": (3, 1),
    "stride4": (64, 4),
    "stride8": (128, 8),
    "stride16": (128, 16),
    "stride32": (128, 32),
}


@dataclass(frozen=True, eq=False)
class Pool:
    """V views; their segments, K in all, lie one view after the other.

    maps: name -> (V, channels, h, w) float16. first: (V + 1,) int64, the row of each view's first
    segment. boxes: (K, 4) float32 px of the view. masks: (K, GRID, GRID) uint8 and scores: (K,)
    float32, as `DrawnView` has them.
    """

    maps: dict[str, NDArray[np.float16]]
    first: NDArray[np.int64]
    boxes: NDArray[np.float32]
    masks: NDArray[np.uint8]
    scores: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.first) - 1

    def rows(self, view: int) -> slice:
        """Of a view's segments."""
        return slice(int(self.first[view]), int(self.first[view + 1]))


def open_pool(folder: Path) -> Pool:
    """The pool that `make_pool` wrote. Maps and masks stay on disk."""
    maps = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in TAPS}
    first, boxes, scores = (np.load(folder / f"{n}.npy") for n in ("first", "boxes", "scores"))
    masks = np.memmap(folder / "masks.raw", np.uint8, "r", shape=(len(boxes), GRID, GRID))
    return Pool(maps, first, boxes, masks, scores)


def make_pool(
    images: Sequence[Path],
    bundle: Path,
    folder: Path,
    seed: int,
    laid_on: Sequence[SegmentRow] = (),
) -> None:
    """Writes one view for each of the images, which may come more than once, to a new folder.

    An image NAME.jpg has its segments in NAME.json. laid_on: as `draw_view` takes it. The folder
    appears when it is whole.
    """
    spec = read_bundle(bundle).image
    session = open_session(bundle / spec.graph, "cpu", threads=None)
    part = folder.with_name(f".{folder.name}.part-{os.getpid()}")
    part.mkdir(parents=True)
    try:
        maps = {
            name: np.lib.format.open_memmap(
                part / f"{name}.npy",
                "w+",
                np.float16,
                (len(images), channels, SIDE // stride, SIDE // stride),
            )
            for name, (channels, stride) in TAPS.items()
        }
        counts, boxes, scores = [0], [], []
        with open(part / "masks.raw", "wb") as masks:
            for row in tqdm(range(len(images)), desc="views", unit="view"):
                view = draw_view(images, row, np.random.RandomState((seed, row)), laid_on)
                blob = cv2.dnn.blobFromImage(view.image, mean=spec.mean)
                blob /= np.array(spec.std, np.float32).reshape(3, 1, 1)
                names = [name for name in TAPS if name != spec.input]
                found = session.run(names, {spec.input: blob})
                for name, values in zip([spec.input, *names], [blob, *found], strict=True):
                    maps[name][row] = values[0]
                counts.append(len(view.boxes))
                boxes.append(view.boxes)
                scores.append(view.scores)
                masks.write(view.masks.tobytes())
        np.save(part / "first.npy", np.cumsum(counts))
        np.save(part / "boxes.npy", np.concatenate(boxes))
        np.save(part / "scores.npy", np.concatenate(scores))
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
