"""MOTChallenge figures are those of TrackEval and of py-motmetrics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from masa_core.evaluation import evaluate

from .official import assert_equal, official, read, unpacked

pytest.importorskip("trackeval")

REAL = ("PETS09-S2L1-A", "PETS09-S2L1-B", "PETS09-S2L1-C")
CONFIGURATIONS: dict[str, tuple[tuple[str, ...], dict[str, Any]]] = {
    "real_MOT17_preproc": (REAL, {}),
    "real_MOT15": (REAL, {"benchmark": "MOT15"}),
    "syn_MOT17_preproc": (("SYN-PUB",), {}),
    "syn_MOT20_preproc": (("SYN-PUB",), {"benchmark": "MOT20"}),
    "syn_MOT15_nopreproc": (("SYN-PUB",), {"benchmark": "MOT15"}),
    "syn_MOT17_DO_PREPROC_False": (("SYN-PUB",), {"preprocess": False}),
    "edge_MOT17": (("EDGE",), {}),
    "edge_iou_MOT17": (("EDGE-IOU",), {}),
}
TRACKERS = ("jitter", "switchy", "lossy")


def lay_out(folder: Path, sequences: tuple[str, ...], tracker: str) -> tuple[Path, Path]:
    truth, results = folder / "gt", folder / tracker
    for name in sequences:
        unpacked(f"mot/gt/{name}/gt/gt.txt", truth / name / "gt" / "gt.txt")
        unpacked(f"mot/gt/{name}/seqinfo.ini", truth / name / "seqinfo.ini")
        unpacked(f"mot/trackers/{tracker}/data/{name}.txt", results / f"{name}.txt")
    return truth, results


@pytest.mark.parametrize("tracker", TRACKERS)
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_trackeval(name: str, tracker: str, tmp_path: Path) -> None:
    sequences, settings = CONFIGURATIONS[name]
    report = evaluate(*lay_out(tmp_path, sequences, tracker), "mot", **settings)
    expected = read("mot/expected/headline.json")
    assert_equal(expected[f"{name}/{tracker}/COMBINED"], report)
    for sequence in (*sequences, "COMBINED"):
        assert_equal(expected[f"{name}/{tracker}/{sequence}"], report["sequences"][sequence])


@pytest.mark.parametrize("tracker", TRACKERS)
@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_all_fields_of_trackeval(name: str, tracker: str, tmp_path: Path) -> None:
    expected = read("mot/expected/trackeval_full.json")[name][tracker]
    sequences, settings = CONFIGURATIONS[name]
    report = evaluate(*lay_out(tmp_path, sequences, tracker), "mot", **settings)
    assert assert_equal(expected, report["details"]) > 200


@pytest.mark.parametrize("tracker", TRACKERS)
@pytest.mark.parametrize(
    ("name", "sequences"), [("real", REAL), ("edge", ("EDGE",)), ("edge_iou", ("EDGE-IOU",))]
)
def test_motmetrics(name: str, sequences: tuple[str, ...], tracker: str, tmp_path: Path) -> None:
    paths = lay_out(tmp_path, sequences, tracker)
    expected = read("mot/expected/motmetrics.json")[name]
    if tracker not in expected:
        pytest.skip("py-motmetrics cannot read an empty file")
    report = evaluate(*paths, "mot", evaluator="motmetrics")
    assert assert_equal(expected[tracker], report["sequences"]) == 23 * (len(sequences) + 1)


@pytest.mark.parametrize("tracker", TRACKERS)
def test_printed_summary(tracker: str, tmp_path: Path) -> None:
    path = official(f"mot/expected/run_mot_challenge_MOT17_real_{tracker}_pedestrian_summary.txt")
    names, values = (line.split() for line in path.read_text().splitlines()[:2])
    report = evaluate(*lay_out(tmp_path, REAL, tracker), "mot")
    fields = report["details"]["COMBINED"]
    flat = {name: value for family in fields.values() for name, value in family.items()}
    counts = {*report["families"]["Count"], *report["families"]["CLEAR"]}
    counts |= {"IDTP", "IDFN", "IDFP"}
    for name, value in zip(names, values, strict=True):
        is_count = name in counts and name not in ("MOTA", "MOTP", "MODA")
        shown = f"{int(flat[name])}" if is_count else f"{100 * np.mean(flat[name]):1.5g}"
        assert value == shown, name
