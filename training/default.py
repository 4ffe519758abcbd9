"""Makes the included bundle from scratch: embedding, masks and proposals of the given detector.

    OMP_NUM_THREADS=1 python -m training.default DATA OUT

DATA holds the folders `video_frames` and `coco256` of segments and the videos that
docs/training-embedding.md and docs/training-heads.md name, wherever in it. OUT/bundle is the
result; the same command goes on where it was interrupted.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import time
from pathlib import Path

from masa_core.assets import asset_path
from training.console import exit_with

# Of the frames, those whose terms are known; of the photographs, not those to measure on.
IMAGES = ("one*", "solid*", "test*", "udacity*", "car*", "train*")
VIDEOS = ("one-by-one-person-detection.mp4", "solidWhiteRight.mp4", "test_video.mp4")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    begin = time.monotonic()
    frames, photographs = (_find(args.data, name) for name in ("video_frames", "coco256"))
    videos = [_find(args.data, name) for name in VIDEOS]
    seed = ("--seed", str(args.seed))
    fitted, done = args.out / "embedding", args.out / "embedding.done"
    if not done.exists():
        shutil.copytree(asset_path("nanodet_masa"), fitted, dirs_exist_ok=True)
        _run("training.embedding", fitted, "--segments", frames, photographs, "--only", *IMAGES,
             "--videos", *videos, *seed)  # fmt: skip
        done.touch()
    _run("training.heads", f"{photographs}:10", f"{frames}:2",
         "--leave-out", "val*", "--bundle", fitted, "--out", args.out, *seed)  # fmt: skip
    print(f"{args.out / 'bundle'}: made in {(time.monotonic() - begin) / 60:.1f} minutes")


def _find(data: Path, name: str) -> Path:
    found = next(data.rglob(name), None)
    if found is None:
        sys.exit(f"{data} holds no {name}")
    return found


def _run(module: str, *arguments: object) -> None:
    command = [sys.executable, "-m", module, *map(str, arguments)]
    if subprocess.run(command).returncode:
        sys.exit(1)  # it has said why


if __name__ == "__main__":
    exit_with(main)
