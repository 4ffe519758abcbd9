"""Running TrackEval (https://github.com/JonathonLuiten/TrackEval), quietly, on staged files.

TrackEval's data sets read fixed layouts of folders. `stage` builds such a layout in a temporary
folder out of links, so that truth and results may lie anywhere.
"""

from __future__ import annotations

import contextlib
import gzip
import io
import shutil
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import trackeval
from numpy.typing import NDArray

NAME = f"TrackEval {version('trackeval')}"
TRACKER = "results"  # the name under which TrackEval knows the results
_EVALUATOR = {
    "USE_PARALLEL": False,
    "BREAK_ON_ERROR": True,
    "LOG_ON_ERROR": None,
    "PRINT_RESULTS": False,
    "TIME_PROGRESS": False,
    "OUTPUT_SUMMARY": False,
    "OUTPUT_DETAILED": False,
    "PLOT_CURVES": False,
}

# Result fields as TrackEval names them, a dict of metric -> field -> number or array, per class
# and sequence.
Fields = dict[str, dict[str, Any]]


def stage(source: Path, target: Path) -> None:
    """Let ``target`` be the file ``source``: a link, or the unpacked content of a .gz file."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.suffix == ".gz":
        with gzip.open(source, "rb") as packed, target.open("wb") as plain:
            shutil.copyfileobj(packed, plain)
        return
    try:
        target.symlink_to(source.resolve())
    except OSError:  # a file system without links
        shutil.copyfile(source, target)


def quiet(**config: Any) -> dict[str, Any]:
    """A configuration of anything in TrackEval. Each wants its own: they write into them."""
    return {**config, "PRINT_CONFIG": False}


def metrics(*, iou_threshold: float = 0.5) -> list[Any]:
    """HOTA, CLEAR and Identity; TrackEval adds Count itself."""
    return [
        trackeval.metrics.HOTA(quiet()),
        trackeval.metrics.CLEAR(quiet(THRESHOLD=iou_threshold)),
        trackeval.metrics.Identity(quiet(THRESHOLD=iou_threshold)),
    ]


def run(
    dataset_class: Callable[[dict[str, Any]], Any],
    config: Mapping[str, Any],
    metric_list: Sequence[Any],
) -> Any:
    """Evaluate one TrackEval data set: sequence (or ``COMBINED_SEQ``) -> class -> Fields.

    Raises ValueError with TrackEval's own words where it refuses the data.
    """
    chatter = io.StringIO()
    try:
        with contextlib.redirect_stdout(chatter), contextlib.redirect_stderr(chatter):
            dataset = dataset_class(quiet(**config, TRACKERS_TO_EVAL=[TRACKER]))
            evaluator = trackeval.Evaluator(quiet(**_EVALUATOR))
            results, _ = evaluator.evaluate([dataset], list(metric_list))
    except trackeval.utils.TrackEvalException as error:
        raise ValueError(f"TrackEval refuses the data: {error}") from None
    return results[dataset.get_name()][TRACKER]


def percent(values: NDArray[np.float64] | float) -> float:
    """Mean over thresholds, in percent, as TrackEval prints it."""
    return 100 * float(np.mean(values))


def figures_by_family(fields: Fields) -> dict[str, dict[str, float | int]]:
    """The figures of one class and sequence: ratios in percent, HOTA's averaged over alpha."""
    hota, clear, identity = fields["HOTA"], fields["CLEAR"], fields["Identity"]
    ratios = ("HOTA", "DetA", "AssA", "DetRe", "DetPr", "AssRe", "AssPr", "LocA")
    counts = ("CLR_TP", "CLR_FN", "CLR_FP", "IDSW", "Frag", "MT", "PT", "ML")
    return {
        "HOTA": {name: percent(hota[name]) for name in ratios},
        "CLEAR": {name: percent(clear[name]) for name in ("MOTA", "MOTP", "MODA")}
        | {name: int(clear[name]) for name in counts},
        "Identity": {name: percent(identity[name]) for name in ("IDF1", "IDP", "IDR")}
        | {name: int(identity[name]) for name in ("IDTP", "IDFN", "IDFP")},
        "Count": {name: int(count) for name, count in fields["Count"].items()},
    }


def headline(fields: Fields) -> dict[str, float | int]:
    """As `figures_by_family`, all families together."""
    return flatten(figures_by_family(fields))


def flatten(figures: Mapping[str, Mapping[str, float | int]]) -> dict[str, float | int]:
    """Figures of all families by name."""
    return {name: value for family in figures.values() for name, value in family.items()}
