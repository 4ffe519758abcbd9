"""KITTI tracking (boxes) and KITTI MOTS (masks), scored by TrackEval."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from masa_core.evaluation.errors import FormatError
from masa_core.evaluation.formats_kitti import (
    Rows,
    read_kitti_labels,
    read_kitti_masks,
    read_kitti_pngs,
    read_seqmaps,
)
from masa_core.wording import nearest

CLASSES = ("car", "pedestrian")


def evaluate_kitti(
    truth: Path,
    results: Path,
    *,
    sequences: Sequence[str] | None = None,
    iou_threshold: float = 0.5,
) -> dict[str, Any]:
    """HOTA, MOTA, IDF1 and more of cars and of pedestrians, as HOTA_car and so on at the top.

    truth: a folder with ``label_02`` (or that folder), one SEQUENCE.txt each. results: a folder of
    SEQUENCE.txt, or one with such a folder ``data``. A file ``evaluate_tracking.seqmap.*`` beside
    ``label_02`` gives lengths; without one, a sequence ends with the last frame that is named.

    Raises FormatError, FileNotFoundError and ValueError.
    """
    from trackeval.datasets import Kitti2DBox

    labels = truth / "label_02" if (truth / "label_02").is_dir() else truth
    seqmaps = read_seqmaps(labels.parent, "evaluate_tracking.seqmap.*", last_is_count=True)
    names = _pick(labels, [path.stem for path in labels.glob("*.txt")], sequences)
    return _score(
        Kitti2DBox,
        {name: read_kitti_labels(labels / f"{name}.txt") for name in names},
        {name: read_kitti_labels(_find(results, name)) for name in names},
        seqmaps,
        iou_threshold,
        "boxes, x2 - x1 wide; vans, sitting people, truncated and hidden objects do not count",
    )


def evaluate_kitti_mots(
    truth: Path,
    results: Path,
    *,
    sequences: Sequence[str] | None = None,
    iou_threshold: float = 0.5,
) -> dict[str, Any]:
    """As `evaluate_kitti`, on masks. MOTSA and MOTSP are MOTA and MOTP, sMOTSA is sMOTA.

    truth: a folder of SEQUENCE.txt (``instances_txt``), or of SEQUENCE/FRAME.png
    (``instances``). A file ``evaluate_mots.seqmap.*`` in it or beside it gives lengths.
    """
    from trackeval.datasets import KittiMOTS

    for inner in ("instances_txt", "instances"):
        truth = truth / inner if (truth / inner).is_dir() else truth
    seqmaps: dict[str, int] = {}
    for folder in (truth.parent, truth):
        seqmaps |= read_seqmaps(folder, "evaluate_mots.seqmap.*", last_is_count=False)
    texts = [path.stem for path in truth.glob("*.txt")]
    folders = {path.parent.name for path in truth.glob("*/*.png")}
    names = _pick(truth, texts or list(folders), sequences)
    report = _score(
        KittiMOTS,
        {
            name: read_kitti_masks(truth / f"{name}.txt")
            if texts
            else read_kitti_pngs(truth / name)
            for name in names
        },
        {name: read_kitti_masks(_find(results, name)) for name in names},
        seqmaps,
        iou_threshold,
        "masks",
    )
    clear = {label: report["details"]["COMBINED"][label]["CLEAR"] for label in CLASSES}
    mots = {"sMOTSA": "sMOTA", "MOTSA": "MOTA", "MOTSP": "MOTP"}
    report["figures"]["CLEAR"] |= {
        f"{name}_{label}": 100 * float(clear[label][field])
        for label in CLASSES
        for name, field in mots.items()
    }
    return report


def _pick(folder: Path, known: list[str], wanted: Sequence[str] | None) -> list[str]:
    if not known:
        raise FileNotFoundError(f"{folder} holds no sequence such as 0001.txt")
    unknown = sorted(set(wanted or ()) - set(known))
    if unknown:
        raise ValueError(f"unknown sequence {unknown[0]!r}{nearest(unknown[0], sorted(known))}")
    return sorted(known) if wanted is None else list(wanted)


def _find(results: Path, name: str) -> Path:
    inner = results / "data" / f"{name}.txt"
    return inner if inner.is_file() else results / f"{name}.txt"


def _score(
    dataset: type,
    truth: dict[str, Rows],
    results: dict[str, Rows],
    seqmaps: dict[str, int],
    iou_threshold: float,
    shapes: str,
) -> dict[str, Any]:
    from masa_core.evaluation import trackeval_runner

    lengths = {name: _length(name, truth[name], results[name], seqmaps) for name in truth}
    # TrackEval takes numbers of four digits, as KITTI's are, and names them in its errors.
    as_kitti = all(len(name) == 4 and name.isdecimal() for name in lengths)
    numbers = {name if as_kitti else f"{i:04d}": name for i, name in enumerate(lengths)}
    with tempfile.TemporaryDirectory(prefix="masa_kitti_") as folder:
        root = Path(folder)
        for number, name in numbers.items():
            _write(root / "gt" / "label_02" / f"{number}.txt", truth[name])
            _write(root / trackeval_runner.TRACKER / "data" / f"{number}.txt", results[name])
        seqmap = [[number, "empty", "0", str(lengths[name])] for number, name in numbers.items()]
        _write(root / "gt" / "evaluate_tracking.seqmap.all", seqmap)
        config = {
            "GT_FOLDER": str(root / "gt"),
            "TRACKERS_FOLDER": str(root),
            "SPLIT_TO_EVAL": "all",
            "CLASSES_TO_EVAL": list(CLASSES),
            "SEQ_INFO": {number: lengths[name] for number, name in numbers.items()},
        }
        metrics = trackeval_runner.metrics(iou_threshold=iou_threshold)
        scored = trackeval_runner.run(dataset, config, metrics)
    names = {**numbers, "COMBINED_SEQ": "COMBINED"}
    scored = {names[number]: classes for number, classes in scored.items()}
    table = {
        name: {label: trackeval_runner.headline(fields) for label, fields in classes.items()}
        for name, classes in scored.items()
    }
    shared = {
        "evaluator": f"{trackeval_runner.NAME}, data set {dataset.__name__}",
        "scored": shapes,
    }
    threshold = {**shared, "iou_threshold": iou_threshold}
    figures: dict[str, dict[str, float | int]] = {}
    for label, fields in scored["COMBINED"].items():
        for family, values in trackeval_runner.figures_by_family(fields).items():
            named = {f"{name}_{label}": value for name, value in values.items()}
            figures[family] = figures.get(family, {}) | named
    return {
        "figures": figures,
        "settings": {
            "HOTA": {**shared, "alphas": "0.05...0.95"},
            "CLEAR": threshold,
            "Identity": threshold,
            "Count": shared,
        },
        "per_class": table["COMBINED"],
        "sequences": table,
        "details": scored,
    }


def _length(name: str, truth: Rows, results: Rows, seqmaps: dict[str, int]) -> int:
    last = max((int(float(row[0])) for row in (*truth, *results)), default=0)
    length = seqmaps.get(name, last + 1)
    if last >= length:
        raise FormatError(Path(name), f"frame {last} is beyond the sequence's {length} frames")
    return length


def _write(path: Path, rows: Rows) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(" ".join(row) + "\n" for row in rows), encoding="utf-8")
