"""What `masa evaluate-bag` prints at its end."""

from __future__ import annotations

from pathlib import Path

from masa_core.evaluation.bag.assessment import Assessment
from masa_core.evaluation.bag.baseline import Comparison, headlines

_SECTIONS = {
    "bdd_mot": "BDD100K's classes (protocol bdd_mot)",
    "all_objects": "all objects as one class (rules of bdd_mot)",
    "bdd_mots": "BDD100K's classes, masks (protocol bdd_mots)",
    "all_masks": "all objects as one class, masks (rules of bdd_mots)",
}


def as_text(assessment: Assessment, comparison: Comparison | None, folder: Path) -> str:
    """A few lines for people."""
    report = assessment.report
    frames = report["frames"]
    lines = [f"to be known: {loss}" for loss in report["losses"]]
    lines.append(
        f"scored {frames['scored']} of {frames['labelled']} labelled frames, "
        f"{report['drive']['images']} images, {report['events']['objects']} objects"
    )
    values = headlines(report)
    changes = {(c.section, c.figure): c for c in comparison.changes} if comparison else {}
    for section, title in _SECTIONS.items():
        mine = {name: value for (of, name), value in values.items() if of == section}
        if not mine:
            continue
        lines.append(title)
        for name, value in mine.items():
            change = changes.get((section, name))
            more = f"  ({change.difference:+.2f})" if change is not None else ""
            text = f"{value:.0f}" if name in ("IDSw", "FM", "FP", "FN") else f"{value:.2f}"
            lines.append(f"  {name:<8}{text:>9}{more}")
    if comparison is not None:
        lines += [
            f"{change.figure} ({change.section}) fell from {change.before:.2f} to "
            f"{change.after:.2f}, by more than {comparison.tolerance:g}"
            for change in comparison.fell
        ] or [f"HOTA has not fallen by more than {comparison.tolerance:g}"]
    lines.append(f"written: {folder / 'report.html'}, figures.json, results.json, truth.json")
    return "\n".join(lines) + "\n"
