"""A made-up clip with true boxes: segments that move over a picture, to judge embeddings on.

    python -m training.embedding.made_up segments/coco256 clip.avi --only 'val*' --seed 1
    python -m training.retrieval assets/nanodet_masa --clip clip.avi clip.txt

Things come nearer and go away, cover each other, turn round (mirrored) where they meet the border,
in light and colours that change. The camera moves. The truth, in MOTChallenge's format, lies beside
the clip; it holds what is in sight by three tenths at least.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.random import RandomState
from numpy.typing import NDArray
from tqdm import trange

from masa_core.io.atomic import AtomicText
from training.console import exit_with, show_any_name
from training.embedding.composites import lay
from training.embedding.cut_outs import CutOut, cut_out, read_samples
from training.index import open_index

WIDTH, HEIGHT, RATE_HZ = 640, 480, 5
HIGH, NEARER = (50, 130), 0.35  # px of a thing; share by which that changes
FASTEST = 6, 4  # px a frame, across and down
SWAY = 80, 80  # px that the camera moves at most, across and down
IN_SIGHT, LEAST_PX = 0.3, 60  # of a thing's pixels
PER_IMAGE = 10


@dataclass(eq=False)
class Thing:
    """A cut-out on its way. x, y: its middle, px of the picture."""

    item: CutOut
    height: float
    x: float
    y: float
    speed_x: float
    speed_y: float
    phase: float
    mirrored: bool

    def go_on(self) -> None:
        self.x, self.y = self.x + self.speed_x, self.y + self.speed_y
        if not 20 < self.x < WIDTH - 20:
            self.speed_x, self.mirrored = -self.speed_x, not self.mirrored
        if not 20 < self.y < HEIGHT - 20:
            self.speed_y = -self.speed_y

    def seen(self, time: int) -> CutOut:
        scale = self.height * (1 + NEARER * np.sin(time / 20 + self.phase))
        rows, columns = self.item.share.shape
        size = max(round(columns * scale / rows), 4), max(round(scale), 4)
        how = cv2.INTER_AREA if scale < rows else cv2.INTER_LINEAR
        pixels, share = (
            cv2.resize(x, size, interpolation=how) for x in (self.item.pixels, self.item.share)
        )
        return CutOut(pixels[:, ::-1], share[:, ::-1]) if self.mirrored else CutOut(pixels, share)


def draw(
    things: Sequence[Thing], picture: NDArray[np.uint8], time: int
) -> tuple[NDArray[np.uint8], list[tuple[int, ...]]]:
    """The frame (HEIGHT, WIDTH, 3), and number, x, y, width and height of what is in sight."""
    left = round(SWAY[0] * (1 + np.sin(time / 30)))
    top = round(SWAY[1] * (1 + np.cos(time / 25)))
    canvas = picture[top : top + HEIGHT, left : left + WIDTH].astype(np.float32)
    shares = []
    for thing in things:
        thing.go_on()
        seen = thing.seen(time)
        rows, columns = seen.share.shape
        place = round(thing.x - columns / 2), round(thing.y - rows / 2)
        lay(canvas, seen.pixels.astype(np.float32), seen.share, *place)
        for share in shares:  # of those behind it
            lay(share[0], np.zeros_like(seen.share), seen.share, *place)
        own = np.zeros((HEIGHT, WIDTH), np.float32)
        lay(own, np.ones_like(seen.share), seen.share, *place)
        shares.append((own, (seen.share > 0.5).sum()))
    cast = 0.08 * np.sin(time / 40)
    light = (1 + 0.25 * np.sin(time / 18)) * np.array([1 + cast, 1, 1 - cast])
    boxes = []
    for number, (own, pixels) in enumerate(shares, start=1):
        shown = (own > 0.5).astype(np.uint8)
        if shown.sum() > max(IN_SIGHT * pixels, LEAST_PX):
            boxes.append((number, *cv2.boundingRect(shown)))
    return (canvas * light).clip(0, 255).astype(np.uint8), boxes


def main(arguments: list[str] | None = None) -> None:
    args = _parser().parse_args(arguments)
    show_any_name()
    try:
        samples, problems = read_samples(open_index(args.segments), args.only)
    except (OSError, ValueError) as error:
        raise SystemExit(f"training.embedding.made_up: {error}") from error
    for problem in problems:
        print(f"left out: {problem}")
    random = RandomState(args.seed)
    objects = cut_out(samples, PER_IMAGE, random)
    if len(objects) < args.things:
        raise SystemExit(f"training.embedding.made_up: {len(objects)} segments that can be used")
    size = WIDTH + 2 * SWAY[0], HEIGHT + 2 * SWAY[1]
    picture = cv2.resize(samples[random.randint(len(samples))][0], size)
    things = [
        _thing(objects[row], random) for row in random.permutation(len(objects))[: args.things]
    ]
    codec = cv2.VideoWriter.fourcc(*"MJPG")
    video = cv2.VideoWriter(str(args.out), codec, RATE_HZ, (WIDTH, HEIGHT))
    if not video.isOpened():
        raise SystemExit(f"training.embedding.made_up: {args.out} cannot be written")
    with AtomicText(args.out.with_suffix(".txt")) as truth:
        for time in trange(args.frames, unit="frame"):
            image, boxes = draw(things, picture, time)
            video.write(image)
            for box in boxes:
                truth.write(",".join(map(str, (time + 1, *box, 1, 1, 1))) + "\n")
        video.release()


def _thing(item: CutOut, random: RandomState) -> Thing:
    x, y = random.uniform(40, WIDTH - 40), random.uniform(40, HEIGHT - 40)
    speeds = random.uniform(-1, 1, 2) * FASTEST
    turn = random.uniform(0, 2 * np.pi)
    return Thing(item, random.uniform(*HIGH), x, y, *speeds, turn, bool(random.rand() < 0.5))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("segments", type=Path, nargs="+", metavar="FOLDER")
    parser.add_argument("out", type=Path, metavar="CLIP.avi")
    parser.add_argument("--only", nargs="+", default=["*"], help="file names of images to use: a*")
    parser.add_argument("--things", type=int, default=12)
    parser.add_argument("--frames", type=int, default=125)
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    exit_with(main)
