"""MOTChallenge sequences, scored by TrackEval (or by py-motmetrics' rules)."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from masa_core.evaluation.errors import FormatError
from masa_core.evaluation.formats_mot import MotRows, read_mot, sequence_length
from masa_core.wording import nearest

BENCHMARKS = ("MOT15", "MOT16", "MOT17", "MOT20")
MOT_CLASSES = 13  # of their truth: pedestrian, distractors, vehicles, crowd


@dataclass(frozen=True)
class MotSequence:
    """Truth and results of one sequence, read and checked; ``length`` in frames."""

    name: str
    truth_path: Path
    results_path: Path
    truth: MotRows
    results: MotRows
    length: int


def evaluate_mot(
    truth: Path,
    results: Path,
    *,
    benchmark: str = "MOT17",
    preprocess: bool = True,
    iou_threshold: float = 0.5,
    sequences: Sequence[str] | None = None,
    evaluator: str = "trackeval",
) -> dict[str, Any]:
    """Figures over all sequences at the top, and for each under ``sequences``.

    truth: a folder of sequences (SEQUENCE/gt/gt.txt), one such sequence, or one truth file.
    results: a folder of SEQUENCE.txt (or one with such a folder ``data``), or one file.
    benchmark, preprocess: MOT16, MOT17 and MOT20 drop predictions matched to distractors and
    truth that is not a pedestrian; MOT15 and ``preprocess=False`` only drop truth marked with 0.
    evaluator: "trackeval", or "motmetrics" for the rules of py-motmetrics 1.4, which keep an old
    match across missed frames and know neither preprocessing nor HOTA.

    Raises FormatError, FileNotFoundError, and ValueError for an unknown setting.
    """
    if benchmark not in BENCHMARKS:
        raise ValueError(f"unknown benchmark {benchmark!r}{nearest(benchmark, BENCHMARKS)}")
    found = find_sequences(truth, results, sequences)
    if evaluator == "motmetrics":
        from masa_core.evaluation.mot_motmetrics import score_sequences

        return score_sequences(found, iou_threshold)
    if evaluator != "trackeval":
        raise ValueError(f"unknown evaluator {evaluator!r}; known: trackeval, motmetrics")
    return _with_trackeval(found, benchmark, preprocess, iou_threshold)


def _with_trackeval(
    found: list[MotSequence], benchmark: str, preprocess: bool, iou_threshold: float
) -> dict[str, Any]:
    from trackeval.datasets import MotChallenge2DBox

    from masa_core.evaluation import trackeval_runner

    for item in found:
        _check_classes(item, benchmark != "MOT15" and preprocess)
    with tempfile.TemporaryDirectory(prefix="masa_mot_") as folder:
        root = Path(folder)
        for item in found:
            trackeval_runner.stage(item.truth_path, root / "gt" / item.name / "gt" / "gt.txt")
            target = root / trackeval_runner.TRACKER / "data" / f"{item.name}.txt"
            trackeval_runner.stage(item.results_path, target)
        config = {
            "GT_FOLDER": str(root / "gt"),
            "TRACKERS_FOLDER": str(root),
            "BENCHMARK": benchmark,
            "DO_PREPROC": preprocess,
            "SKIP_SPLIT_FOL": True,
            "SEQ_INFO": {item.name: item.length for item in found},
        }
        metrics = trackeval_runner.metrics(iou_threshold=iou_threshold)
        scored = trackeval_runner.run(MotChallenge2DBox, config, metrics)

    details = {name: classes["pedestrian"] for name, classes in scored.items()}
    details["COMBINED"] = details.pop("COMBINED_SEQ")
    per_sequence = {name: trackeval_runner.headline(fields) for name, fields in details.items()}
    shared = {
        "evaluator": trackeval_runner.NAME,
        "class": "pedestrian",
        "boxes": "x2 = left + width",
    }
    preprocessing = f"{benchmark}, {'on' if preprocess and benchmark != 'MOT15' else 'off'}"
    threshold = {**shared, "preprocessing": preprocessing, "iou_threshold": iou_threshold}
    return {
        "figures": trackeval_runner.figures_by_family(details["COMBINED"]),
        "settings": {
            "HOTA": {**shared, "preprocessing": preprocessing, "alphas": "0.05...0.95"},
            "CLEAR": threshold,
            "Identity": threshold,
            "Count": {**shared, "preprocessing": preprocessing},
        },
        "sequences": per_sequence,
        "details": details,
    }


def find_sequences(
    truth: Path, results: Path, wanted: Sequence[str] | None = None
) -> list[MotSequence]:
    """The sequences of a truth folder (or the wanted ones of them), with their results."""
    paths = _truth_paths(truth)
    unknown = sorted(set(wanted or ()) - set(paths))
    if unknown:
        raise ValueError(f"unknown sequence {unknown[0]!r}{nearest(unknown[0], sorted(paths))}")
    names = list(wanted) if wanted is not None else sorted(paths)
    found = [_read(name, paths[name], _results_path(results, name, len(paths))) for name in names]
    if not found:
        raise ValueError(f"{truth} has no sequence to evaluate: no SEQUENCE/gt/gt.txt in it")
    return found


def _truth_paths(truth: Path) -> dict[str, Path]:
    if truth.is_file():
        # SEQUENCE/gt/gt.txt, or a truth file that carries the sequence's name or lies beside images
        if truth.parent.name == "gt":
            return {truth.parent.parent.name: truth}
        stem = truth.name.split(".")[0]
        return {truth.resolve().parent.name if stem in ("gt", "truth") else stem: truth}
    if not truth.is_dir():
        raise FileNotFoundError(f"{truth} is not there")
    for own in (truth / "gt" / "gt.txt", truth / "gt.txt"):
        if own.is_file():
            return {truth.resolve().name: own}
    return {path.parent.parent.name: path for path in sorted(truth.glob("*/gt/gt.txt"))}


def _results_path(results: Path, name: str, sequence_count: int) -> Path:
    if results.is_file():
        if sequence_count != 1:
            raise ValueError(f"{results} is one file, the truth has {sequence_count} sequences")
        return results
    tried = [results / f"{name}.txt", results / "data" / f"{name}.txt"]
    for path in tried:
        if path.is_file():
            return path
    raise FileNotFoundError(
        f"no results for sequence {name}: neither {tried[0]} nor {tried[1]} is there "
        "(an empty file stands for no tracks; the setting sequences picks some)"
    )


def _check_classes(item: MotSequence, preprocess: bool) -> None:
    """Finds the line with a class that TrackEval does not take."""
    wrong = preprocess & ~np.isin(item.truth.classes, np.arange(1, MOT_CLASSES + 1))
    if wrong.any():
        row = int(wrong.argmax())
        known = f"it is 1 to {MOT_CLASSES} but with benchmark=MOT15 or preprocess=false"
        reason = f"class is {item.truth.classes[row]}, {known}"
        raise FormatError(item.truth_path, reason, line=row + 1)
    wrong = item.results.classes > 1
    if wrong.any():
        row = int(wrong.argmax())
        reason = f"class is {item.results.classes[row]}; results are of pedestrians, 1 (or -1)"
        raise FormatError(item.results_path, reason, line=row + 1)


def _read(name: str, truth_path: Path, results_path: Path) -> MotSequence:
    truth, results = read_mot(truth_path, truth=True), read_mot(results_path)
    folder = truth_path.parent.parent if truth_path.parent.name == "gt" else truth_path.parent
    length = sequence_length(folder)
    if length is None:
        length = int(max(truth.frames.max(initial=1), results.frames.max(initial=1)))
    for path, rows in ((truth_path, truth), (results_path, results)):
        late = rows.frames > length
        if late.any():
            line = int(late.argmax())
            reason = f"frame {rows.frames[line]} is beyond the sequence's {length} frames"
            raise FormatError(path, reason, line=line + 1)
    return MotSequence(name, truth_path, results_path, truth, results, length)
