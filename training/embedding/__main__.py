"""Fits the embedding of a NanoDet bundle to unlabeled images and videos, and puts it there.

    python -m training.embedding assets/nanodet_masa --segments FOLDER ... --videos VIDEO ...

The folders hold images with segments in SA-1B's JSON format. The detector stays as it is. The same
data and seed give the same graph, but for rounding on another machine.
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import onnx
from numpy.random import RandomState
from numpy.typing import NDArray
from tqdm import tqdm

from masa_core.commands.options import positive
from masa_core.io import SourceError, open_source
from masa_core.runtime import ModelError, load_model
from masa_core.runtime.bundle import read_bundle
from training.console import exit_with, show_any_name
from training.embedding.bundle import put_embedding
from training.embedding.composites import composites
from training.embedding.cut_outs import (
    CutOut,
    cut_out,
    cut_out_in_place,
    read_samples,
    recoloured,
)
from training.embedding.fit import Moments, discriminant, find_words
from training.embedding.foreground import train_foreground
from training.embedding.form import (
    Form,
    Words,
    cut_stem,
    embedding_graph,
    measures_graph,
    pixels_graph,
)
from training.embedding.run import Runner
from training.embedding.tracklets import tracklets
from training.index import open_index

SHRINKAGE = 0.05
NORM = 5.0  # of the embeddings: what the tracker's softmax is calibrated to
TRACKLETS = 0.2  # share of all views, where there are any: they are few, but real
WORDS_FROM = 400  # objects whose pixels are clustered
PIXELS = 20000


def main(arguments: list[str] | None = None) -> None:
    args = _parser().parse_args(arguments)
    show_any_name()
    try:
        _fit(args)
    except (ModelError, SourceError, OSError, ValueError) as error:
        raise SystemExit(f"training.embedding: {error}") from error


def _fit(args: argparse.Namespace) -> None:
    begin = time.monotonic()
    spec = read_bundle(args.bundle).image
    stem = cut_stem(onnx.load(args.bundle / spec.graph), spec.mean, spec.std)

    for video in args.videos:  # before minutes are spent
        open_source(video).close()
    random = RandomState(args.seed)
    samples, problems = read_samples(open_index(args.segments), args.only)
    for problem in problems:
        print(f"left out: {problem}")
    objects, images = cut_out(samples, args.per_image, random), [image for image, _ in samples]
    if not objects:
        raise ValueError("no segment that can be used in these images")
    print(f"{len(objects)} segments of {len(images)} images")

    # Words are for the colours that there are; new ones only teach what a view changes.
    some = [objects[row] for row in random.permutation(len(objects))[:WORDS_FROM]]
    words = _words(composites(some, images, args.views, args.seed + 1), args.words, random)
    segments = len(objects)
    if args.new_colours:
        objects += [CutOut(recoloured(item.pixels, random), item.share) for item in objects]
        images += [recoloured(image, random) for image in images]
    lying = cut_out_in_place(samples)
    net = train_foreground(stem, objects, lying, images, args.foreground_steps, args.seed)
    form = Form(stem, words, net)

    moments, followed = _moments(form, objects, images, args)
    projection = discriminant(moments.within(), moments.total(), args.size, SHRINKAGE)
    graph = embedding_graph(form, moments.mean().astype(np.float32), projection, NORM)
    told = f"fitted to views of {segments} segments and {followed} tracklets, seed {args.seed}"
    put_embedding(args.bundle, graph, told)
    print(f"{args.bundle}: {told}; {time.monotonic() - begin:.0f} s")


def _moments(
    form: Form,
    objects: list[CutOut],
    images: list[NDArray[np.uint8]],
    args: argparse.Namespace,
) -> tuple[Moments, int]:
    """Of the views of objects and of what is followed in videos, and how many tracklets that is."""
    measures = Runner(measures_graph(form))
    moments, followed = Moments(measures.size), Moments(measures.size)
    views = composites(objects, images, args.views, args.seed)
    for crops in tqdm(views, "composites", total=len(objects)):
        moments.add(measures(crops))
    model = load_model(str(args.bundle))
    found = itertools.chain.from_iterable(tracklets(model, video) for video in args.videos)
    for crops in tqdm(found, "tracklets"):
        followed.add(measures(crops))
    moments.include(followed, TRACKLETS)
    return moments, followed.instances


def _words(views: Iterable[NDArray[np.float32]], number: int, random: RandomState) -> Words:
    pixels = Runner(pixels_graph())
    points = np.concatenate([pixels(crops).transpose(0, 2, 3, 1).reshape(-1, 3) for crops in views])
    return find_words(points[random.choice(len(points), PIXELS)], number, random)


def _several(text: str) -> int:
    if int(text) < 2:  # nothing differs between the views of a thing: no projection
        raise argparse.ArgumentTypeError(f"{text} views of a segment: it takes 2 or more")
    return int(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", type=Path, help="its embedding is replaced")
    parser.add_argument("--segments", type=Path, nargs="+", required=True, metavar="FOLDER")
    parser.add_argument("--only", nargs="+", default=["*"], help="file names of images to use: a*")
    parser.add_argument("--videos", type=Path, nargs="*", default=[], metavar="VIDEO")
    parser.add_argument("--per-image", type=positive, default=25, help="segments of an image (25)")
    parser.add_argument("--views", type=_several, default=4, help="of a segment (4)")
    parser.add_argument("--words", type=positive, default=64, help="colour words (64)")
    parser.add_argument("--size", type=positive, default=256, help="of an embedding (256)")
    parser.add_argument("--foreground-steps", type=positive, default=600, metavar="STEPS")
    parser.add_argument(
        "--new-colours", action="store_true", help="of everything, too: where pictures show few"
    )
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    exit_with(main)
