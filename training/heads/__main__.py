"""Trains a mask head and a proposal head for a bundle, from images with segments beside them.

python -m training.heads segments/coco256:10 segments/video_frames:2 \\
    --bundle assets/nanodet_masa --out runs/heads --leave-out 'val*'

The number behind a folder says how many views of each of its images are made. Views, each head's
weights and the bundle lie in --out; what is there already is not made again.
"""

from __future__ import annotations

import argparse
import os
import shutil
import time
from pathlib import Path

from safetensors.torch import load_file, save_file
from torch import nn

from masa_core.io.atomic import part_path
from training.heads.bundle_file import describe_heads
from training.heads.export import export_masks, export_proposals
from training.heads.mask_head import MaskHead
from training.heads.mask_training import train_masks
from training.heads.pool import make_pool, open_pool
from training.heads.proposal_head import ProposalHead
from training.heads.proposal_training import train_proposals


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", help="FOLDER or FOLDER:VIEWS of each image (default 4)")
    parser.add_argument("--bundle", type=Path, required=True, help="whose detector gives the maps")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--leave-out", default="", help="pattern of names of images")
    parser.add_argument("--mask-steps", type=int, default=1200)
    parser.add_argument("--proposal-steps", type=int, default=600)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    try:
        images = _images(args.data, args.leave_out)
    except ValueError as error:
        parser.error(str(error))
    start = time.monotonic()
    pool_folder = args.out / "views"
    if not pool_folder.exists():
        make_pool(images, args.bundle, pool_folder, args.seed)
    pool = open_pool(pool_folder)
    print(f"{len(pool)} views with {pool.first[-1]} segments")

    masks, proposals = MaskHead(), ProposalHead()
    for head, name, train, steps in (
        (masks, "masks", train_masks, args.mask_steps),
        (proposals, "proposals", train_proposals, args.proposal_steps),
    ):
        weights = args.out / f"{name}.safetensors"
        if not weights.exists():
            _save(train(pool, steps, args.seed), weights)
        head.load_state_dict(load_file(weights))

    folder = args.out / "bundle"
    shutil.copytree(args.bundle, folder, dirs_exist_ok=True)
    export_masks(masks, folder / "masks.onnx")
    export_proposals(proposals, folder / "proposals.onnx")
    describe_heads(folder)
    print(f"{folder}: made in {(time.monotonic() - start) / 60:.1f} min")


def _save(head: nn.Module, path: Path) -> None:
    """The file appears when it is whole."""
    part = part_path(path)
    save_file({name: value.contiguous() for name, value in head.state_dict().items()}, part)
    os.replace(part, path)


def _images(data: list[str], leave_out: str) -> list[Path]:
    """Images as often as views are to be made of them. Raises ValueError for an empty folder."""
    images = []
    for entry in data:
        folder, _, number = entry.rpartition(":") if ":" in entry else (entry, "", "4")
        if not number.isdecimal() or not int(number):
            raise ValueError(f"{entry}: behind the colon is the number of views of each image")
        found = sorted(p for p in Path(folder).glob("*.jpg") if p.with_suffix(".json").exists())
        found = [p for p in found if not (leave_out and p.match(leave_out))]
        if not found:
            raise ValueError(f"{folder} has no images NAME.jpg with segments NAME.json beside them")
        images += found * int(number)
    return images


if __name__ == "__main__":
    main()
