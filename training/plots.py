"""Pictures of an embedding: where the instances of a labelled clip lie in it (paper, appendix C).

    python -m training.plots assets/nanodet_masa vtest.avi gt.txt --out embeddings.png
    python -m training.plots adapted vtest.avi gt.txt --before assets/nanodet_masa --out both.png
    python -m training.plots MODEL drive_bag --out drive.png

Above, before: another bundle or model (--before), or else what the adapter reads, the maps of the
frozen network averaged over each box. Below, after: the bundle or model itself. Left t-SNE, right
the first two principal components, of embeddings of unit length; one colour an identity.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from numpy.typing import NDArray
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE

matplotlib.use("Agg")
from matplotlib import pyplot
from matplotlib.axes import Axes

from masa_core import load_model
from masa_core.evaluation.errors import FormatError
from masa_core.io import SourceError
from masa_core.io.atomic import whole_file
from masa_core.runtime import Model, ModelError
from masa_core.runtime.fit import prepare
from masa_core.runtime.ort import OrtModel
from masa_core.runtime.session import open_session
from masa_core.tracking.association import unit
from training.clip import Clip, open_clip
from training.console import exit_with
from training.retrieval import Embed, of_model

MOST_POINTS = 1500  # instances in a picture: t-SNE takes seconds then
MOST_IDS = 20  # identities, those seen most often: more colours cannot be told apart
SEED = 0

# (C, h, w) maps of a frame, and the shares of their height and width that the frame takes.
Maps = tuple[list[NDArray[np.float32]], tuple[float, float]]
MapsOf = Callable[[NDArray[np.uint8]], Maps]


def main(arguments: list[str] | None = None) -> int:
    """0; 1 where a model or the clip cannot be read, or the picture cannot be written."""
    args = _parser().parse_args(arguments)
    try:
        clip = open_clip(args.clip, args.truth)
        model = load_model(args.model)
        if args.before:
            before, title = of_model(load_model(args.before)), Path(args.before).name
        else:
            before, title = backbone_embedding(model), "maps of the frozen network"
        embeds = {f"before: {title}": before, f"after: {model.name}": of_model(model)}
        ids, embeddings = embed_clip(list(embeds.values()), clip)
        draw(args.out, ids, dict(zip(embeds, embeddings, strict=True)))
    except (ModelError, SourceError, FormatError, OSError, ValueError) as error:
        print(f"training.plots: {error}", file=sys.stderr)
        return 1
    print(f"made {args.out}: {len(ids)} boxes of {len(np.unique(ids))} identities")
    return 0


def embed_clip(
    embeds: list[Embed], clip: Clip
) -> tuple[NDArray[np.int64], list[NDArray[np.float32]]]:
    """(K,) identities of a clip's boxes and (K, D) embeddings by each of ``embeds``.

    The identities that are seen most often, and of their boxes evenly spaced ones.
    Raises ValueError for a clip with less than two labelled boxes.
    """
    ids = np.concatenate([*(ids for _, ids in clip.labels.values()), np.zeros(0, np.int64)])
    if not len(ids):
        raise ValueError(f"{clip.source} has no labelled frame")
    names, counts = np.unique(ids, return_counts=True)
    shown = names[np.argsort(-counts, kind="stable")[:MOST_IDS]]
    skip = max(1, int(np.isin(ids, shown).sum() // MOST_POINTS))
    kept, rows = [], [[] for _ in embeds]  # type: ignore[var-annotated]
    labelled = [i for i in sorted(clip.labels) if np.isin(clip.labels[i][1], shown).any()]
    thinned = Clip(clip.source, {i: clip.labels[i] for i in labelled[::skip]})
    for frame in thinned.frames():
        here = np.isin(frame.ids, shown)
        if here.any():
            kept.append(frame.ids[here])
            for column, embed in zip(rows, embeds, strict=True):
                column.append(embed(frame.image, frame.boxes[here]))
    if (count := sum(map(len, kept))) < 2:
        raise ValueError(
            f"{clip.source} shows {count} of the labelled boxes, too few for a picture"
        )
    return np.concatenate(kept), [np.concatenate(column) for column in rows]


def backbone_embedding(model: Model) -> Embed:
    """What an adapter starts from: all maps of the frozen network, averaged over each box."""
    maps_of = _bundle_maps(model) if isinstance(model, OrtModel) else _torch_maps(model)

    def embed(frame: NDArray[np.uint8], boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        maps, (rows, columns) = maps_of(frame)
        size = np.array([frame.shape[1] / columns, frame.shape[0] / rows] * 2)
        return np.concatenate([_averages(values, boxes / size) for values in maps], axis=1)

    return embed


def _bundle_maps(model: OrtModel) -> MapsOf:
    spec = model.bundle.image
    session = open_session(model.bundle.folder / spec.graph, "cpu", None)
    names = [node.name for node in session.get_outputs() if len(node.shape) == 4]
    inputs = [node.name for node in session.get_inputs()]
    if not names:
        raise ModelError(f"{model.name} shows none of its maps: name what to compare with --before")

    def maps_of(frame: NDArray[np.uint8]) -> Maps:
        image, size = prepare(frame, spec)
        feeds = {spec.input: image, "size": np.array(size, np.float32)}
        found = session.run(names, {name: feeds[name] for name in inputs})
        height, width = image.shape[2:]
        return [values[0] for values in found], (size[0] / height, size[1] / width)

    return maps_of


def _torch_maps(model: Any) -> MapsOf:
    def maps_of(frame: NDArray[np.uint8]) -> Maps:
        features = model.encode(frame)
        size = features.geometry
        share = size.resized_height / size.padded_height, size.resized_width / size.padded_width
        return [tap[0].float().cpu().numpy() for tap in features.taps], share

    return maps_of


def draw(out: Path, ids: NDArray[np.int64], embeddings: dict[str, NDArray[np.float32]]) -> None:
    """A PNG with a row for each (K, D) of embeddings, by title: t-SNE and PCA."""
    names, colours = np.unique(ids, return_inverse=True)
    figure, axes = pyplot.subplots(
        len(embeddings), 2, figsize=(11, 5 * len(embeddings)), squeeze=False, layout="constrained"
    )
    for row, (title, values) in zip(axes, embeddings.items(), strict=True):
        values = unit(values)
        perplexity = min(30.0, (len(values) - 1) / 3)
        tsne = TSNE(perplexity=perplexity, init="pca", random_state=SEED)
        pca = PCA(2, random_state=SEED)
        reduced = PCA(min(50, *values.shape), random_state=SEED).fit_transform(values)
        _scatter(row[0], f"{title}, t-SNE", tsne.fit_transform(reduced), colours, names)
        share = f"{pca.fit(values).explained_variance_ratio_.sum():.0%} of the variance"
        _scatter(row[1], f"{title}, PCA ({share})", pca.transform(values), colours, names)
    with whole_file(out) as part:
        figure.savefig(part, dpi=110)
    pyplot.close(figure)


def _scatter(
    axes: Axes,
    title: str,
    points: NDArray[np.float32],
    colours: NDArray[np.int64],
    names: NDArray[np.int64],
) -> None:
    palette: Callable[[int], tuple[float, ...]] = matplotlib.colormaps["tab20"]
    for number, name in enumerate(names):
        mine = points[colours == number]
        axes.scatter(*mine.T, s=9, color=palette(number % 20), linewidths=0)
        x, y = np.median(mine, axis=0)
        axes.text(x, y, str(name), fontsize=8, ha="center", va="center", fontweight="bold")
    axes.set_title(title, fontsize=10)
    axes.set_xticks([])
    axes.set_yticks([])


def _averages(values: NDArray[np.float32], boxes: NDArray[np.float64]) -> NDArray[np.float32]:
    """(N, C) means of a (C, h, w) map over boxes in 0..1 of its width and height."""
    _, height, width = values.shape
    edges = boxes * np.array([width, height] * 2)
    found = []
    for x1, y1, x2, y2 in np.rint(edges).astype(int).tolist():
        left, top = min(max(x1, 0), width - 1), min(max(y1, 0), height - 1)
        part = values[:, top : max(y2, top + 1), left : max(x2, left + 1)]
        found.append(part.mean(axis=(1, 2)))
    return np.array(found, np.float32)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.plots",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", help="a bundle, or the name of a model")
    parser.add_argument("clip", type=Path, help="video or folder of images, or a bag with truth")
    parser.add_argument("truth", nargs="?", default="", help="gt.txt (MOTChallenge) of the video")
    parser.add_argument("--before", help="another bundle or model, to compare with")
    parser.add_argument("--out", type=Path, default=Path("embeddings.png"))
    return parser


if __name__ == "__main__":
    exit_with(main)
