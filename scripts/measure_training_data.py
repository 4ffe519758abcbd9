"""Measures what data sets of SA-1B's size cost: the list of images, and reading segments.

python scripts/measure_training_data.py [--images 11000000]
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import cv2
import numpy as np

from masa_core.io.coco_rle import from_coco_rle, to_coco_rle
from masa_core.masks import encode_mask

sys.path.insert(0, str(Path(__file__).parents[1]))  # training/ is run from a checkout

from training.index import ImageFolder, Index
from training.listing import Listing, Writer

FOLDER = 11_000  # images each, as in SA-1B
DRAWS = 20_000
MASKS, HEIGHT, WIDTH = 100, 1500, 2250


def measure_list(path: Path, images: int) -> None:
    start = time.process_time()
    with Writer(path) as writer:
        for number in range(images):
            writer.add(f"sa_{number // FOLDER:06d}/sa_{number}.jpg")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    print(f"list of {images} images: {path.stat().st_size / 1e6:.0f} MB on the disk")
    print(f"write it: {time.process_time() - start:.1f} s, the process has {peak:.0f} MB at most")
    subprocess.run([sys.executable, __file__, "--draw", str(path)], check=True)


def measure_draws(path: Path) -> None:
    """In a process of its own, as a worker is one."""
    before, start = own_memory_mb(), time.process_time()
    index = Index([ImageFolder(Path("/data"))], [Listing(path)])
    print(f"open it: {1000 * (time.process_time() - start):.1f} ms")
    rng, start = np.random.RandomState(0), time.process_time()
    for _ in range(DRAWS):
        index.image_path(index.draw(rng))
    print(f"draw a path: {1e6 * (time.process_time() - start) / DRAWS:.0f} us")
    print(f"own memory for it: {own_memory_mb() - before:.1f} MB")


def own_memory_mb() -> float:
    """Of this process, without files that it has mapped."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1e3 for line in lines if line.startswith("RssAnon"))


def measure_masks() -> None:
    from pycocotools import mask as coco

    rng = np.random.RandomState(0)
    rles = []
    for _ in range(MASKS):
        pixels = np.zeros((HEIGHT, WIDTH), np.uint8)
        side = int(np.exp(rng.uniform(np.log(15), np.log(900))))
        centre, turn = (int(rng.randint(WIDTH)), int(rng.randint(HEIGHT))), int(rng.randint(180))
        cv2.ellipse(pixels, centre, (side, side // 2 + 1), turn, 0, 360, 1, -1)
        rles.append(to_coco_rle(encode_mask(pixels > 0), HEIGHT, WIDTH))
    for name, decode in (
        ("masa_core.io.coco_rle", from_coco_rle),
        ("pycocotools", lambda rle: encode_mask(coco.decode(rle))),
    ):
        start = time.process_time()
        for rle in rles:
            decode(rle)
        taken_ms = 1000 * (time.process_time() - start)
        print(f"{MASKS} masks of {WIDTH}x{HEIGHT} px, {name}: {taken_ms:.0f} ms")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--images", type=int, default=11_000_000)
    parser.add_argument("--draw", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.draw:
        measure_draws(args.draw)
        return
    with tempfile.TemporaryDirectory() as folder:
        measure_list(Path(folder, "images.list"), args.images)
    measure_masks()


if __name__ == "__main__":
    main()
