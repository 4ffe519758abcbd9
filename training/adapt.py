"""Fit a bundle's embedding to new frames, without labels (paper, appendix D).

    python -m training.adapt assets/nanodet_masa night.mcap garage.mp4 --out nanodet_masa_night
    python -m training.adapt assets/nanodet_masa frames/ --out OUT --clip test.mp4 test_gt.txt

The sources are videos, rosbags, or folders of images. What the bundle's own detector finds in them
and nothing else can be taken for is followed from frame to frame, and looked at twice, with other
light and a shaken box. A last layer of the embedding then learns what makes no difference; all
that was there before stays as it is. How much it may change is chosen on held-out things of the
same frames. With --clip, rank-1 retrieval is measured before and after on a labelled clip.

The track head of a torch model is adapted by the loop itself, on frames (training.frames) with
segments (training.segments), from its published weights:

    python -m training.train training/configs/masa_gdino.yaml model.adapter=given \\
        data.folders='{FRAMES: 1}' data.images_per_epoch=5000 \\
        schedule.epochs=0 schedule.track_head_epochs=1
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import onnx
import yaml
from tqdm import tqdm

from masa_core.evaluation.errors import FormatError
from masa_core.io import SourceError, open_source
from masa_core.runtime import Model, ModelError
from masa_core.runtime.bundle import read_bundle, sha256
from masa_core.runtime.ort import OrtModel
from training.adapt_layer import Layer, append, choose, fit
from training.clip import Clip, clip_of
from training.console import exit_with
from training.retrieval import GAPS_S, of_model, retrieval
from training.sightings import Sightings, sightings

FEWEST = 40  # things: with less, any layer fits


def main(arguments: list[str] | None = None) -> int:
    """0; 1 where nothing could be read, learned or written."""
    args = _parser().parse_args(arguments)
    try:
        return _adapt(args)
    except (ModelError, SourceError, FormatError, OSError, ValueError) as error:
        print(f"training.adapt: {error}", file=sys.stderr)
        return 1


def _adapt(args: argparse.Namespace) -> int:
    if args.out.exists():
        raise ModelError(f"{args.out} is there already: name a new folder")
    # Before hours are spent on the frames.
    args.out.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(args.out.parent, os.W_OK):
        raise ModelError(f"{args.out.parent} cannot be written to: name another place with --out")
    clip = clip_of(args.clip) if args.clip else None
    model = OrtModel(args.bundle)
    things = gather(model, args.sources, args.topic, args.fps, args.seed)
    looks = sum(len(thing.rows) for thing in things)
    print(f"{len(things)} things, seen {looks} times")
    if len(things) < FEWEST:
        raise ValueError(f"{FEWEST} things are needed: add frames, or a longer recording")
    shrinkage, before, after = choose(things)
    if shrinkage is None:
        print(
            f"held-out things were found again in {before:.1%} of cases, and no layer does better: "
            f"{args.out} was not written"
        )
        return 1
    print(
        f"held-out things were found again in {before:.1%} of cases, and in {after:.1%} with a "
        f"layer of shrinkage {shrinkage:g}"
    )
    told = (
        f"adapted to {len(things)} things, seen {looks} times, of "
        f"{', '.join(path.name for path in args.sources)}; shrinkage {shrinkage:g}, "
        f"seed {args.seed}"
    )
    write(args.bundle, args.out, fit(things, shrinkage), told)
    print(f"made {args.out}")
    if clip:
        _compare(model, OrtModel(args.out), args.clip[0].name, clip)
    return 0


def gather(
    model: Model, sources: Sequence[Path], topic: str | None, fps: float, seed: int
) -> list[Sightings]:
    """What is seen in some sources. Says what could not be read. Raises SourceError, ModelError.

    fps: of folders of images, which have no clock.
    """
    things = []
    for path in sources:
        opened = open_source(path, topic)
        if opened.kind == "folder":
            opened = open_source(path, fps=fps)
        with opened as source:
            frames = tqdm(source, path.name, source.length, unit="frame", disable=None)
            things += sightings(model, frames, seed)
            for loss in source.losses():
                print(loss, file=sys.stderr)
    return things


def write(bundle: Path, out: Path, layer: Layer, told: str) -> None:
    """A copy of the bundle with the layer at the end of its embedding; it appears when whole."""
    graph = read_bundle(bundle).embedding.graph
    part = Path(tempfile.mkdtemp(prefix=f".{out.name}.", dir=out.parent))
    try:
        shutil.copytree(bundle, part, dirs_exist_ok=True)
        onnx.save(append(onnx.load(bundle / graph), layer), part / graph)
        path = part / "bundle.yaml"
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        content["name"] = out.name
        content["files"][graph] = sha256(part / graph)
        content.setdefault("provenance", {})["adaptation"] = told
        text = yaml.safe_dump(content, sort_keys=False, default_flow_style=None, width=90)
        path.write_text(text, encoding="utf-8")
        part.chmod(0o755)  # a temporary folder is its maker's alone
        os.replace(part, out)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _compare(before: Model, after: Model, name: str, clip: Clip) -> None:
    found = [retrieval(of_model(model), clip) for model in (before, after)]
    print(f"rank-1 of {name} after {' / '.join(f'{gap:g} s' for gap in GAPS_S)}:")
    for case in found[0]:
        rows = [" / ".join(f"{value:.3f}" for value in figures[case]) for figures in found]
        print(f"  {case}: {rows[0]} before, {rows[1]} after")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.adapt",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("bundle", type=Path, metavar="BUNDLE")
    parser.add_argument("sources", type=Path, nargs="+", metavar="SOURCE")
    parser.add_argument("--out", type=Path, required=True, metavar="NEW_BUNDLE")
    parser.add_argument("--topic", help="of the images in bags; needed where they have several")
    parser.add_argument(
        "--fps", type=float, default=1.0, help="of folders of images (default: 1, as frames gives)"
    )
    parser.add_argument(
        "--clip",
        type=Path,
        nargs="+",
        metavar="PATH",
        help="video or folder and its gt.txt (MOTChallenge), or a bag with truth",
    )
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    exit_with(main)
