"""`python -m training.check`: what is wrong with a data set, before hours are lost on it."""

from __future__ import annotations

import argparse
import os
import sys
from collections import defaultdict
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from masa_core.commands.options import positive
from training.check_image import ERRORS, WARNINGS, Facts, check_image
from training.console import exit_with, show_any_name
from training.walk import walk

_DESCRIPTION = """\
Read the data sets in the folders DATA as training would, and say what is wrong with
them. The exit code is 1 where there are errors: what training would leave out, or learn
wrongly. Warnings are for you to judge.
"""
_SHOWN = 3  # examples of each problem
_EPOCH = 200_000  # images, published


@dataclass
class Report:
    """problems: sentences by kind. facts: of the images that could be read."""

    problems: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    facts: list[Facts] = field(default_factory=list)
    images: int = 0  # with a JSON file, in all
    looked_at: int = 0

    @property
    def nothing(self) -> str | None:
        """Why there is nothing at all to learn from; None where there is something."""
        if not self.images:
            return "no image has segments: `python -m training.segments` makes them"
        return None if self.facts else "not one image can be used"

    @property
    def errors(self) -> int:
        found = sum(len(self.problems.get(kind, ())) for kind in ERRORS)
        return found + (self.nothing is not None)


def main(arguments: list[str] | None = None) -> int:
    """0; 1 where the data have errors; 2 for wrong arguments."""
    args = _parser().parse_args(arguments)
    for folder in [*args.data, args.segments or args.data[0]]:
        if not folder.is_dir():
            print(f"training.check: {folder} is no folder", file=sys.stderr)
            return 2
    try:
        report = check(args.data, args.segments, args.limit, args.workers)
    except OSError as error:  # a folder that may not be read
        print(f"training.check: {error}", file=sys.stderr)
        return 2
    show_any_name()
    print(summary(report, args.workers))
    return int(report.errors > 0)


def check(folders: list[Path], segments: Path | None, limit: int | None, workers: int) -> Report:
    """limit: images to look at, drawn at random (the same ones each time); None for all."""
    report = Report()
    pairs: list[tuple[Path, Path]] = []
    for folder in folders:
        pairs += _list(folder, segments or folder, report)
    report.images = len(pairs)
    if limit is not None and limit < len(pairs):
        rows = np.random.RandomState(0).permutation(len(pairs))[:limit]
        pairs = [pairs[row] for row in np.sort(rows)]
    report.looked_at = len(pairs)
    first_with: dict[bytes, Path] = {}
    with ProcessPoolExecutor(workers) as pool:
        results = pool.map(check_image, *zip(*pairs, strict=True), chunksize=16) if pairs else ()
        bar = tqdm(results, total=len(pairs), unit="image", disable=None)
        for (image, _), (problems, facts) in zip(pairs, bar, strict=False):
            for kind, text in problems:
                report.problems[kind].append(text)
            if facts is None:
                continue
            report.facts.append(facts)
            other = first_with.setdefault(facts.digest, image)
            if other != image:
                report.problems["the same image twice"].append(f"{image} is {other}")
    return report


def _list(folder: Path, segments: Path, report: Report) -> list[tuple[Path, Path]]:
    """Images that have a JSON file; notes the images and JSON files that are alone."""
    pairs = []
    for contents in walk(folder, segments):
        place = folder / contents.place
        used = set()
        for name in contents.images:
            stem = os.path.splitext(name)[0]
            used.add(stem)
            if stem in contents.stems:
                pairs.append((place / name, segments / contents.place / f"{stem}.json"))
            else:
                report.problems["image without JSON"].append(f"{place / name}")
        for stem in sorted(contents.stems - used):
            path = segments / contents.place / f"{stem}.json"
            report.problems["JSON without image"].append(str(path))
        for name in contents.doubles:
            report.problems["left out for an image of the same name"].append(f"{place / name}")
    return pairs


def summary(report: Report, workers: int) -> str:
    """The report as text."""
    lines = [f"{report.images} images with JSON, {report.looked_at} of them looked at"]
    for title, kinds in (("error", ERRORS), ("warning", WARNINGS)):
        for kind in kinds:
            texts = report.problems.get(kind, [])
            if texts:
                lines += [f"{title}: {kind}: {len(texts)}", *(f"    {t}" for t in texts[:_SHOWN])]
                lines += [f"    and {len(texts) - _SHOWN} more"] * (len(texts) > _SHOWN)
    if report.facts:
        lines += _figures(report.facts, workers)
    if report.nothing:
        lines.append(f"error: {report.nothing}")
    lines.append(f"{report.errors or 'no'} error{'s' * (report.errors != 1)}")
    return "\n".join(lines)


def _figures(facts: list[Facts], workers: int) -> list[str]:
    counts = np.array([len(fact.sides) for fact in facts])
    sides = np.concatenate([fact.sides for fact in facts])
    shares = np.concatenate([fact.shares for fact in facts])
    scores = np.concatenate([fact.scores for fact in facts])
    seconds = float(np.mean([fact.seconds for fact in facts]))
    sources: dict[str, int] = defaultdict(int)
    for fact in facts:
        for source, count in fact.sources.items():
            sources[source or "(not named)"] += count
    hours = seconds * _EPOCH / workers / 3600
    return [
        "",
        "segments: " + ", ".join(f"{n} {name}" for name, n in sorted(sources.items())),
        _histogram("image, longer side px", [max(fact.size) for fact in facts]),
        _histogram("segments an image", counts),
        _histogram("segment, square root of box area px", sides),
        _histogram("segment, part of the image in %", 100 * shares),
        _histogram("predicted_iou", scores),
        f"time to read one image with its segments: {1000 * seconds:.1f} ms, so an epoch of "
        f"{_EPOCH} images takes {hours:.1f} h with {workers} workers, views not counted",
    ]


def _histogram(name: str, values: np.ndarray | list[int]) -> str:
    values = np.asarray(values, float)
    if not values.size:
        return f"{name}: none"
    levels = np.percentile(values, [0, 5, 25, 50, 75, 95, 100])
    words = [f"{level:.3g}" if level < 1000 else f"{level:.0f}" for level in levels]
    labels = ("least", "5 %", "25 %", "median", "75 %", "95 %", "most")
    pairs = "  ".join(f"{label} {word}" for label, word in zip(labels, words, strict=True))
    return f"{name}:\n    {pairs}\n    {_bars(values)}"


def _bars(values: np.ndarray) -> str:
    """Bars from the 1st to the 99th percentile, on a logarithmic axis where that spans much."""
    low, high = np.percentile(values, [1, 99])
    space = np.geomspace if 0 < 20 * low < high else np.linspace
    counts, edges = np.histogram(values, space(low, high if high > low else low + 1, 25))
    heights = np.ceil(8 * counts / max(counts.max(), 1)).astype(int)
    axis = "" if space is np.linspace else " (logarithmic)"
    return f"{edges[0]:.3g} |{''.join(' ▁▂▃▄▅▆▇█'[h] for h in heights)}| {edges[-1]:.3g}{axis}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.check",
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", nargs="+", type=Path, metavar="DATA")
    parser.add_argument(
        "--segments", type=Path, metavar="FOLDER", help="where the JSON files are, if elsewhere"
    )
    parser.add_argument(
        "--limit", type=positive, metavar="N", help="look at N random images only (all are listed)"
    )
    parser.add_argument("--workers", type=positive, default=os.cpu_count() or 1, metavar="N")
    return parser


if __name__ == "__main__":
    exit_with(main)
