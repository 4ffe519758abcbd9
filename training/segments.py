"""`python -m training.segments`: lets a teacher segment images, and writes what it found."""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from masa_core.commands.interrupt import StopOnSignal
from masa_core.commands.options import positive
from masa_core.io.image_files import read_image
from masa_core.runtime import ModelError
from training.sa1b import EMPTY_MASK, Segments, read_segments, write_segments
from training.teachers import Found, Teacher
from training.walk import walk

_DESCRIPTION = """\
Segment all images in the folders IMAGES (nested ones, too) and write the segments in
SA-1B's JSON format: beside each image, or to the same place below --out.

Start it again to go on: images that have a valid file are left alone. Several processes
share the work with --shard 0/4, --shard 1/4 and so on, or under torchrun. Images that
cannot be segmented are listed at the end and stop nothing.
"""
_MAX_SEGMENTS = 1 << 12  # of one image: three for each of SAM's 1024 points is less


@dataclass
class Tally:
    written: int = 0
    segments: int = 0
    there: int = 0  # written before
    bad: list[str] = field(default_factory=list)


def main(arguments: list[str] | None = None) -> int:
    """0; 1 where no image could be segmented; 2 for wrong arguments, or a file that cannot be
    written; 128 + signal when stopped."""
    args = _parser().parse_args(arguments)
    try:
        shard = parse_shard(args.shard) if args.shard else _torchrun_shard()
        images = list_images(args.images, args.out)[shard[0] :: shard[1]]
        with StopOnSignal() as stop:
            source = f"{args.teacher} (random weights)" if args.random_weights else args.teacher
            tally = segment(images, _teacher(args), source, stop)
    except (ModelError, OSError, ValueError) as error:
        print(f"training.segments: {error}", file=sys.stderr)
        return 2
    print(
        f"{tally.written} images segmented ({tally.segments} segments), {tally.there} were done "
        f"before, {len(tally.bad)} could not be segmented"
    )
    for text in tally.bad:
        print(f"  {text}", file=sys.stderr)
    if stop.number is not None:
        return 128 + stop.number
    return int(bool(tally.bad) and not tally.written + tally.there)


def segment(
    images: list[tuple[str, Path, Path]], teacher: Teacher, source: str, stop: StopOnSignal
) -> Tally:
    """Segments what has no valid file yet. images: name that ids are made of, image, JSON file.

    Raises ValueError where a file cannot be written.
    """
    tally = Tally()
    for name, image_path, json_path in tqdm(images, unit="image", disable=None):
        if stop.number is not None:
            break
        try:
            if is_done(json_path):
                tally.there += 1
                continue
            image = read_image(image_path)
            found = _ask(teacher, image, image_path)
            image_id = image_number(name)
            segments = _segments(found, image.shape[:2], image_id, source)
        except (OSError, ValueError) as error:
            tally.bad.append(str(error))
            continue
        try:
            json_path.parent.mkdir(parents=True, exist_ok=True)
            write_segments(json_path, image_path.name, segments, image_id, found.details)
        except OSError as error:  # the next one could not be written either
            raise ValueError(
                f"{json_path} cannot be written ({error.strerror}): make room, or name another "
                f"folder with --out; what is done stays ({tally.written} images this time)"
            ) from error
        tally.written += 1
        tally.segments += len(segments)
    return tally


def list_images(folders: list[Path], out: Path | None) -> list[tuple[str, Path, Path]]:
    """Path below its folder, image, and JSON file, of all images. Raises ValueError."""
    images: list[tuple[str, Path, Path]] = []
    for folder in folders:
        if not folder.is_dir():
            raise ValueError(f"{folder} is no folder")
        for contents in walk(folder):
            for name in contents.images:
                place = Path(contents.place, name)
                path = (out or folder) / place.with_suffix(".json")
                images.append((place.as_posix(), folder / place, path))
    if len({path for *_, path in images}) < len(images):
        raise ValueError("images of two folders would share one JSON file: --out once for each")
    if not images:
        raise ValueError(f"no images in {', '.join(map(str, folders))}")
    return images


def is_done(path: Path) -> bool:
    """Whether there is a file of segments that can be read. Masks are not looked at.

    Raises ValueError for a JSON file of another kind, such as an annotation tool's: it must not be
    written over. One that is torn off is as good as none. Raises OSError where it cannot be opened.
    """
    try:
        read_segments(path, masks=False)
    except (FileNotFoundError, NotADirectoryError):
        return False
    except ValueError as error:
        if not _is_json(path):
            return False
        raise ValueError(
            f"{error}; it is left as it is: move it away, or name another folder with --out"
        ) from error
    return True


def _is_json(path: Path) -> bool:
    try:
        json.loads(path.read_bytes())
    except ValueError:
        return False
    return True


def _ask(teacher: Teacher, image: NDArray[np.uint8], path: Path) -> Found:
    try:
        return teacher(image)
    except (RuntimeError, MemoryError) as error:  # PyTorch's, where memory does not suffice
        height, width = image.shape[:2]
        reason = " ".join(str(error).split())[:200]
        raise ValueError(
            f"{path}: the teacher fails on {width}x{height} px ({reason}); "
            "where memory is short, a smaller --points-per-batch or smaller images help"
        ) from error


def image_number(name: str) -> int:
    """A number of 40 bits for an image, the same in any process: no two processes need to agree."""
    digest = hashlib.sha256(os.fsencode(name)).digest()
    return int.from_bytes(digest[:5], "big")


def _segments(found: Found, size: tuple[int, int], image_id: int, source: str) -> Segments:
    count = len(found.boxes)
    if count >= _MAX_SEGMENTS:
        raise ValueError(f"{count} segments in one image")
    ids = image_id * _MAX_SEGMENTS + 1 + np.arange(count, dtype=np.int64)  # 52 bits: JSON-safe
    masks = [EMPTY_MASK] * count if found.masks is None else found.masks
    return Segments(*size, found.boxes, ids, masks, found.scores, [source] * count)


def parse_shard(text: str) -> tuple[int, int]:
    """ "2/8" -> (2, 8): this process's part of the images. Raises ValueError."""
    try:
        part, parts = (int(word) for word in text.split("/"))
    except ValueError:
        part, parts = -1, 0
    if not 0 <= part < parts:
        raise ValueError(f"--shard {text}: it is PART/PARTS, such as 0/4, 1/4, 2/4 and 3/4")
    return part, parts


def _torchrun_shard() -> tuple[int, int]:
    return int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))


def _teacher(args: argparse.Namespace) -> Teacher:
    if args.checkpoint and not Path(args.checkpoint).exists():
        raise ValueError(f"--checkpoint {args.checkpoint} is not there")
    device = args.device
    if device == "cuda" and "LOCAL_RANK" in os.environ:
        device = f"cuda:{os.environ['LOCAL_RANK']}"
    if args.teacher == "proposals":
        from training.teachers.proposals import load_proposals

        name = args.model or "nanodet_masa"
        return load_proposals(name, args.checkpoint, device, args.min_score, args.random_weights)
    name = args.model or _sam_in(args.checkpoint)
    from training.teachers.sam import Settings, load_sam

    settings = Settings(
        args.points_per_side,
        args.points_per_batch,
        args.pred_iou,
        args.stability,
        args.box_nms,
        args.min_region_area,
    )
    return load_sam(name, args.checkpoint, device, settings, args.random_weights)


def _sam_in(checkpoint: str | None) -> str:
    """Which SAM a file holds, by the publisher's file names."""
    name = Path(checkpoint).name.lower() if checkpoint else "vit_h"
    for part, model in (("vit_h", "sam_vith"), ("vit_b", "sam_vitb"), ("mobile", "mobile_sam")):
        if part in name:
            return model
    raise ValueError(f"which SAM is in {checkpoint}? Say --model sam_vitb, sam_vith or mobile_sam")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.segments",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGES")
    parser.add_argument("--teacher", choices=("sam", "proposals"), default="sam")
    parser.add_argument("--checkpoint", metavar="FILE", help="weights of a torch model")
    parser.add_argument(
        "--model", help="sam_vitb, sam_vith, mobile_sam; for proposals, a model or bundle"
    )
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="for the JSON files")
    parser.add_argument("--shard", metavar="PART/PARTS", help="do each PARTSth image only")
    parser.add_argument("--device", default="cpu", help="cpu (default), cuda, cuda:1")
    sam = parser.add_argument_group("SAM (defaults: those of the published segments)")
    sam.add_argument("--points-per-side", type=positive, default=32)
    sam.add_argument("--points-per-batch", type=positive, default=64)
    sam.add_argument("--pred-iou", type=float, default=0.88)
    sam.add_argument("--stability", type=float, default=0.95)
    sam.add_argument("--box-nms", type=float, default=0.7)
    sam.add_argument(
        "--min-region-area", type=int, default=100, metavar="PX", help="of holes and islands"
    )
    proposals = parser.add_argument_group("proposals")
    proposals.add_argument("--min-score", type=float, default=0.1)
    parser.add_argument(
        "--random-weights", action="store_true", help="for trials of the program only"
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
