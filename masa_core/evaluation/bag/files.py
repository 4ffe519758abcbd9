"""The files that an evaluation leaves."""

from __future__ import annotations

from pathlib import Path

from masa_core.evaluation.bag.answers import write_answers, write_truth
from masa_core.evaluation.bag.assessment import Assessment
from masa_core.evaluation.bag.baseline import Comparison
from masa_core.evaluation.bag.page import write_page
from masa_core.evaluation.bag.thumbnails import draw_events, worst_gaps, worst_switches
from masa_core.evaluation.report import write_report


def write_files(folder: Path, assessment: Assessment, comparison: Comparison | None) -> None:
    """report.html, figures.json, results.json and truth.json. Raises OSError, SourceError."""
    switches, gaps = worst_switches(assessment.events), worst_gaps(assessment.events)
    drawn = draw_events([*switches, *gaps], assessment.camera, assessment.truth, assessment.answers)
    page = folder / "report.html"
    write_page(page, assessment, drawn[: len(switches)], drawn[len(switches) :], comparison)
    write_answers(folder / "results.json", assessment.truth, assessment.answers)
    write_truth(folder / "truth.json", assessment.truth)
    write_report(assessment.report, folder / "figures.json")
