"""Trains a mask head and a proposal head for a bundle, from images with segments beside them.

python -m training.heads segments/coco256:10 segments/video_frames:2 \\
    --bundle assets/nanodet_masa --out runs/heads --leave-out 'val*'

The number behind a folder says how many views of each of its images are made. For the masks half
as many are made again, with segments that people drew laid on other images. Views, each head's
weights and the bundle lie in --out; what is there already is not made again.
"""

from __future__ import annotations

import argparse
import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from safetensors.torch import load_file

from masa_core.models.checkpoints import write
from masa_core.runtime import ModelError
from training.console import exit_with
from training.heads.bundle_file import describe_heads
from training.heads.draw import SegmentRow, drawn_segments
from training.heads.export import export_masks, export_proposals
from training.heads.mask_head import MaskHead
from training.heads.mask_training import train_masks
from training.heads.pool import Pool, make_pool, open_pool
from training.heads.proposal_head import ProposalHead
from training.heads.proposal_training import train_proposals
from training.walk import walk


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", help="FOLDER or FOLDER:VIEWS of each image (default 4)")
    parser.add_argument("--bundle", type=Path, required=True, help="whose detector gives the maps")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--leave-out", default="", help="pattern of names of images")
    parser.add_argument("--mask-steps", type=int, default=2000)
    parser.add_argument("--proposal-steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    try:
        images = _images(args.data, args.leave_out)
    except ValueError as error:
        parser.error(str(error))
    try:
        _make(images, args)
    except (ModelError, OSError, ValueError) as error:
        raise SystemExit(f"training.heads: {error}") from error


def _make(images: list[Path], args: argparse.Namespace) -> None:
    start = time.monotonic()
    pool = _pool(images, args.bundle, args.out / "views", args.seed)
    masks, proposals = MaskHead(), ProposalHead()
    if not (weights := args.out / "masks.safetensors").exists():
        pools = [pool, *_composites(images, args.bundle, args.out / "composites", args.seed + 1)]
        write(train_masks(pools, args.mask_steps, args.seed).state_dict(), weights)
    masks.load_state_dict(load_file(weights))
    if not (weights := args.out / "proposals.safetensors").exists():
        write(train_proposals(pool, args.proposal_steps, args.seed).state_dict(), weights)
    proposals.load_state_dict(load_file(weights))

    folder = args.out / "bundle"
    shutil.copytree(args.bundle, folder, dirs_exist_ok=True)
    export_masks(masks, folder / "masks.onnx")
    export_proposals(proposals, folder / "proposals.onnx")
    describe_heads(folder)
    print(f"{folder}: made in {(time.monotonic() - start) / 60:.1f} min")


def _composites(images: list[Path], bundle: Path, folder: Path, seed: int) -> list[Pool]:
    """Views of half of the images, by chance, with segments that people drew laid on them.

    None where people drew none.
    """
    if not (laid_on := drawn_segments(sorted(set(images)))):
        return []
    chosen = np.random.RandomState(seed).permutation(len(images))[: len(images) // 2]
    return [_pool([images[row] for row in chosen], bundle, folder, seed, laid_on)]


def _pool(
    images: list[Path], bundle: Path, folder: Path, seed: int, laid_on: Sequence[SegmentRow] = ()
) -> Pool:
    if not folder.exists():
        make_pool(images, bundle, folder, seed, laid_on)
    pool = open_pool(folder)
    print(f"{folder}: {len(pool)} views with {pool.first[-1]} segments")
    return pool


def _images(data: list[str], leave_out: str) -> list[Path]:
    """Images as often as views are to be made of them. Raises ValueError for an empty folder."""
    images = []
    for entry in data:
        folder, _, number = entry.rpartition(":") if ":" in entry else (entry, "", "4")
        if not number.isdecimal() or not int(number):
            raise ValueError(f"{entry}: behind the colon is the number of views of each image")
        if not Path(folder).is_dir():
            raise ValueError(f"{folder} is no folder")
        found = [
            Path(folder, contents.place, name)
            for contents in walk(folder)
            for name in contents.images
            if Path(name).stem in contents.stems
        ]
        found = [p for p in found if not (leave_out and p.match(leave_out))]
        if not found:
            raise ValueError(f"{folder} has no images with segments beside them")
        images += found * int(number)
    return images


if __name__ == "__main__":
    exit_with(main)
