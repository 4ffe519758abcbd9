"""Rank-1 retrieval of true boxes across time: what an embedding is judged by.

    python -m training.retrieval assets/nanodet_masa --clip vtest.avi gt.txt
    python -m training.retrieval histogram --clip drive_bag

For each instance at one time, the most similar one (cosine) of all that are there some seconds
later should be itself. Three figures a gap: with the true boxes; with boxes cut by up to 15 % a
side at the first time, as detectors do; and with a darker, bluer picture at the second time.
`histogram` in place of a bundle is the baseline: colours in three stripes of the box, untrained.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from masa_core import load_model
from masa_core.io import SourceError
from masa_core.runtime import Model, ModelError
from masa_core.runtime.crops import cut_crops
from masa_core.tracking.association import unit
from training.clip import Clip, add_clips, clip_of
from training.console import exit_with

GAPS_S = (0.5, 2.5, 10.0)
EVERY_S = 0.5  # between the frames that are looked at: neighbours say the same
CUT = 0.15  # of a box's width or height at most, on each side
GAIN = 0.75 * np.array([1.15, 1.0, 0.9])  # of blue, green and red
BINS, STRIPES = (8, 4, 4), 3  # of hue, saturation and value; one above the other

Embed = Callable[[NDArray[np.uint8], NDArray[np.float32]], NDArray[np.float32]]


@dataclass(frozen=True, eq=False)
class Looks:
    """The K instances that were looked at in the F frames of a clip.

    times_s: (F,) of the frames. frames: (K,) which of them a row is of. ids: (K,). clean, cut,
    dark: (K, D) float32 embeddings of the true boxes, of boxes cut short, and in the dark picture.
    """

    times_s: NDArray[np.float64]
    frames: NDArray[np.int64]
    ids: NDArray[np.int64]
    clean: NDArray[np.float32]
    cut: NDArray[np.float32]
    dark: NDArray[np.float32]


def look(embed: Embed, clip: Clip) -> Looks:
    """Embeds a clip's true boxes. embed: (frame BGR, (N, 4) boxes xyxy px) to (N, D).

    Raises ValueError for a clip without labelled frames.
    """
    random = np.random.RandomState(0)
    times, rows = [], []
    for number, frame in enumerate(clip.frames(EVERY_S)):
        times.append(frame.time_s)
        sides = np.tile(frame.boxes[:, 2:] - frame.boxes[:, :2], 2) * np.array([1, 1, -1, -1])
        cut = frame.boxes + random.uniform(0, CUT, frame.boxes.shape) * sides
        dark = (frame.image * GAIN).clip(0, 255).astype(np.uint8)
        rows.append(
            (
                np.full(len(frame.ids), number),
                frame.ids,
                embed(frame.image, frame.boxes),
                embed(frame.image, cut.astype(np.float32)),
                embed(dark, frame.boxes),
            )
        )
    if not rows:
        raise ValueError(f"{clip.source} has no labelled frame")
    return Looks(np.array(times), *(np.concatenate(column) for column in zip(*rows, strict=True)))


def rank_one(
    looks: Looks, queries: NDArray[np.float32], gallery: NDArray[np.float32], gap_s: float
) -> float:
    """Share of instances in both frames of a pair whose most similar one is themselves.

    queries, gallery: (K, D), two of the embeddings of `looks`. Each frame is paired with the one
    nearest to ``gap_s`` later, within an eighth of the gap or 0.1 s (drives are labelled five times
    a second). NaN where there is no such pair.
    """
    queries, gallery = unit(queries), unit(gallery)
    right = []
    for number, time_s in enumerate(looks.times_s):
        away = np.abs(looks.times_s - time_s - gap_s)
        if away.min() > max(gap_s / 8, 0.101):
            continue
        then = np.flatnonzero(looks.frames == number)
        now = np.flatnonzero(looks.frames == away.argmin())
        then = then[np.isin(looks.ids[then], looks.ids[now])]
        nearest = (queries[then] @ gallery[now].T).argmax(axis=1)
        right.append(looks.ids[now[nearest]] == looks.ids[then])
    answers = np.concatenate(right) if right else np.zeros(0)
    return float(answers.mean()) if len(answers) else float("nan")


def retrieval(embed: Embed, clip: Clip, gaps_s: Sequence[float] = GAPS_S) -> dict[str, list[float]]:
    """Rank-1 at each gap: {"clean": [...], "boxes cut": [...], "darker, bluer": [...]}."""
    looks = look(embed, clip)
    pairs = {
        "clean": (looks.clean, looks.clean),
        "boxes cut": (looks.cut, looks.clean),
        "darker, bluer": (looks.clean, looks.dark),
    }
    return {name: [rank_one(looks, *pair, gap) for gap in gaps_s] for name, pair in pairs.items()}


def of_model(model: Model) -> Embed:
    return lambda frame, boxes: model.embed(model.encode(frame), boxes)


def histogram(frame_bgr: NDArray[np.uint8], boxes_xyxy: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, 384): square roots of the shares of HSV bins in each stripe of each box."""
    height, width = frame_bgr.shape[:2]
    boxes = boxes_xyxy.clip(0, np.array([width, height] * 2, np.float32))
    found = []
    for crop in cut_crops(frame_bgr, boxes, 128, 64).round().astype(np.uint8):
        pixels = cv2.cvtColor(np.ascontiguousarray(crop.transpose(1, 2, 0)), cv2.COLOR_BGR2HSV)
        bins = pixels.astype(np.int64) * BINS // np.array([180, 256, 256])
        numbers = np.ravel_multi_index(tuple(bins.transpose(2, 0, 1)), BINS)
        stripes = np.array_split(numbers, STRIPES)
        counts = [np.bincount(stripe.ravel(), minlength=np.prod(BINS)) for stripe in stripes]
        found.append(np.sqrt(np.concatenate([c / c.sum() for c in counts])))
    return np.array(found, np.float32).reshape(len(boxes), -1)


def main() -> int:
    """0; 1 where a model or a clip cannot be read."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("models", nargs="+", help="bundles, models, or histogram")
    add_clips(parser)
    parser.add_argument("--gaps-s", type=float, nargs="+", default=list(GAPS_S))
    args = parser.parse_args()
    try:
        _print_table(args)
    except (ModelError, SourceError, OSError, ValueError) as error:
        print(f"training.retrieval: {error}", file=sys.stderr)
        return 1
    return 0


def _print_table(args: argparse.Namespace) -> None:
    clips = [(paths[0].name, clip_of(paths)) for paths in args.clip]
    embeds = {n: histogram if n == "histogram" else of_model(load_model(n)) for n in args.models}
    gaps = " / ".join(f"{gap:g} s" for gap in args.gaps_s)
    print(f"| clip | model | boxes and light | rank-1 {gaps} |\n|---|---|---|---|")
    for clip_name, clip in clips:
        for name, embed in embeds.items():
            for case, values in retrieval(embed, clip, args.gaps_s).items():
                cells = " / ".join(f"{value:.3f}" for value in values)
                print(f"| {clip_name} | {name} | {case} | {cells} |", flush=True)


if __name__ == "__main__":
    exit_with(main)
