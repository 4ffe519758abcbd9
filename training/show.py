"""`python -m training.show`: a picture of pairs of views, as training would be given them."""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np

from masa_core.commands.options import positive
from masa_core.io.image_files import write_image
from training.config import read_config
from training.console import exit_with, show_any_name
from training.index import ImageFolder, Index, open_index
from training.pair_picture import draw_pair, sheet
from training.samples import read_sample
from training.views.pair import make_pair
from training.views.settings import ViewSettings
from training.views.view import View

_DESCRIPTION = """\
Draw random images of the data sets in the folders DATA, and make two views of each, as
training does. An instance that is in both views has the same colour and number in both:
look whether what is to be matched really is the same.
"""
_TRIES = 20  # images that cannot be read, one after the other


def main(arguments: list[str] | None = None) -> int:
    """0; 2 where there is nothing to show, or the picture cannot be written."""
    args = _parser().parse_args(arguments)
    show_any_name()
    try:
        settings = read_config(args.config).views if args.config else ViewSettings()
        settings = replace(settings, size=args.size, **({"mixup": False} if args.alone else {}))
        folders = [ImageFolder(folder, args.segments) for folder in args.data]
        index = open_index(folders)
        pictures = [
            show_pair(index, settings, np.random.RandomState((args.seed, number)), args.instances)
            for number in range(args.pairs)
        ]
        write_image(args.out, sheet(pictures, args.columns))
    except (OSError, ValueError) as error:
        print(f"training.show: {error}", file=sys.stderr)
        return 2
    print(f"{len(pictures)} pairs of views in {args.out}")
    return 0


def show_pair(
    index: Index, settings: ViewSettings, rng: np.random.RandomState, instances: int
) -> np.ndarray:
    """The picture of a random pair. Raises ValueError where no image can be read."""
    number, source = _draw(index, rng)
    partner = _draw(index, rng)[1] if settings.mixup else None
    key, reference = make_pair(source, partner, rng, settings)
    return draw_pair(key, reference, index.image_path(number).name, rng, instances)


def _draw(index: Index, rng: np.random.RandomState) -> tuple[int, View]:
    problem = ""
    for _ in range(_TRIES):
        number = index.draw(rng)
        try:
            return number, View.of_segments(*read_sample(index, number))
        except (OSError, ValueError) as error:
            problem = str(error)
            print(f"left out: {problem}", file=sys.stderr)
    raise ValueError(f"{_TRIES} images in a row cannot be read; the last: {problem}")


def _picture(text: str) -> Path:
    if not cv2.haveImageWriter(text):
        raise argparse.ArgumentTypeError(f"{text} is no image file: name a .png or .jpg")
    return Path(text)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.show",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", nargs="+", type=Path, metavar="DATA")
    parser.add_argument("--out", type=_picture, default=Path("pairs.png"), metavar="FILE")
    parser.add_argument("--segments", type=Path, help="where the JSON files are, if elsewhere")
    parser.add_argument("--config", type=Path, help="of a training, for the transforms in it")
    parser.add_argument("--alone", action="store_true", help="mix no second image in")
    parser.add_argument("--pairs", type=positive, default=6)
    parser.add_argument("--columns", type=positive, default=2)
    parser.add_argument("--size", type=positive, default=448, help="px a side of a view")
    parser.add_argument("--instances", type=positive, default=12, help="at most, of each pair")
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    exit_with(main)
