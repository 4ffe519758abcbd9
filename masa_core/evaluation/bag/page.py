"""report.html: one page without any other file, for people."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from masa_core.evaluation.bag.assessment import Assessment
from masa_core.evaluation.bag.baseline import Comparison, headlines
from masa_core.evaluation.bag.events import Switch
from masa_core.evaluation.bag.latency_plot import draw_histogram, draw_latency
from masa_core.evaluation.bag.style import STYLE
from masa_core.evaluation.bag.tables import class_table, comparison_tables, flat_pairs, pairs_table
from masa_core.evaluation.bag.thumbnails import EventPictures
from masa_core.evaluation.bag.timeline import draw_errors, draw_timeline, shown_objects
from masa_core.io.atomic import write_text

_CARDS = ("HOTA", "AssA", "DetA", "MOTA", "IDF1", "TETA")


def write_page(
    path: Path,
    assessment: Assessment,
    switches: Sequence[EventPictures],
    gaps: Sequence[EventPictures],
    comparison: Comparison | None,
) -> None:
    """Raises OSError."""
    drive = assessment.report["drive"]
    sections = [
        _head(assessment),
        _verdict(assessment, comparison),
        _cards(assessment, comparison),
        _classes(assessment),
    ]
    if comparison is not None:
        sections.append(
            f"<h2>Against the earlier run</h2><p class='note'>{escape(str(comparison.path))}</p>"
            + comparison_tables(comparison)
        )
    sections += [
        _timeline(assessment),
        _events("Worst identity switches", switches, assessment, _SWITCHES),
        _events("Longest fragments", gaps, assessment, _GAPS),
    ]
    if assessment.run.timings:
        sections.append(_live(assessment))
    sections.append(_made(assessment))
    title = escape(f"{drive['bag']}: tracking evaluation")
    write_text(
        path,
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body><main>\n{''.join(sections)}\n</main></body></html>\n",
    )


_SWITCHES = (
    "Dashed: the labelled object. In colour: tracks with their ids. Those between the longest "
    "stretches come first, since they cost most."
)
_GAPS = "The object was there and no track of it was found (IoU of 0.5), and then it was again."


def _head(assessment: Assessment) -> str:
    drive, made = assessment.report["drive"], assessment.report["configuration"]
    live = "played in real time" if assessment.run.mode == "live" else "every frame, offline"
    words = (
        f"{drive['seconds']:.1f} s of {drive['topic']}, {drive['images']} images at "
        f"{drive['images_per_s']:.1f} a second, {live}; model {made.get('model', 'unknown')}, "
        f"tracker {made.get('tracker', 'unknown')}"
    )
    return f"<h1>{escape(drive['bag'])}</h1><p class='faint'>{escape(words)}</p>"


def _verdict(assessment: Assessment, comparison: Comparison | None) -> str:
    events, frames = assessment.report["events"], assessment.report["frames"]
    whole = sum(
        not item.switches and any(track for _, track in item.moments)
        for item in assessment.events.objects
    )
    words = (
        f"{events['objects']} objects in {frames['scored']} labelled frames: {whole} were followed "
        f"by one track only. {events['switches']} identity switches, {events['fragments']} "
        "fragments."
    )
    kind = ""
    if comparison is not None and comparison.changes:
        change = (comparison.fell or comparison.changes)[0]
        kind = "worse" if comparison.fell else change.verdict
        verb = "fell" if change.difference < 0 else "rose"
        said = f"{change.figure} {verb} by {abs(change.difference):.2f}"
        if not change.difference:
            said = f"{change.figure} is the same"
        beyond = f", more than the tolerance of {comparison.tolerance:g}" if comparison.fell else ""
        words = f"{said} since the earlier run{beyond}. {words}"
    return f'<p class="verdict {kind}">{escape(words)}</p>'


def _cards(assessment: Assessment, comparison: Comparison | None) -> str:
    values = headlines(assessment.report)
    section = "bdd_mot" if ("bdd_mot", "HOTA") in values else "all_objects"
    changes = {}
    if comparison is not None:
        changes = {(c.section, c.figure): c for c in comparison.changes}
    cards = [(name, section, 1) for name in _CARDS]
    cards += [("IDSw", "all_objects", 0), ("FM", "all_objects", 0)]
    parts = []
    for name, of, digits in cards:
        if (of, name) not in values:
            continue
        chip = ""
        change = changes.get((of, name))
        if change is not None:
            chip = f' <i class="{change.verdict}">{change.difference:+.{digits}f}</i>'
        title = {"IDSw": "id switches", "FM": "fragments"}.get(name, name)
        parts.append(
            f'<div class="card"><span>{title}</span><b>{values[of, name]:.{digits}f}</b>'
            f"{chip}</div>"
        )
    return f'<div class="cards">{"".join(parts)}</div>'


def _classes(assessment: Assessment) -> str:
    figures = assessment.report["figures"]
    notes = {
        "bdd_mot": "Rows of BDD100K's classes, their sum and their mean (a class without truth "
        "counts as 0) are the benchmark's own figures.",
        "other_classes": "Classes that BDD100K has not are scored by its rules, each by itself.",
        "all_objects": "All objects are scored as one class too: identity and place alone. The "
        "events and the timeline below are of it.",
        "all_masks": "Rows of masks compare the pixels in place of the boxes.",
    }
    words = " ".join(text for section, text in notes.items() if section in figures)
    settings = [
        (escape(f"{section}, {family}"), escape("; ".join(f"{k}: {v}" for k, v in rules.items())))
        for section in figures
        for family, rules in figures[section]["settings"].items()
    ]
    return (
        f"<h2>Figures of each class</h2>{class_table(figures)}<p class='note'>{words}</p>"
        f"<details><summary>Protocols</summary>{pairs_table(settings)}</details>"
    )


def _timeline(assessment: Assessment) -> str:
    events, seconds = assessment.events, assessment.report["drive"]["seconds"]
    hidden = len(events.objects) - len(shown_objects(events))
    more = f" {hidden} more objects, with fewer events, are not shown." if hidden else ""
    legend = (
        '<p class="legend"><em style="background:linear-gradient(90deg,#e23,#2a6,#36c)"></em>'
        'found, in the colour of its track<em style="background:#c9ced8"></em>labelled, not '
        'found<em style="background:#c22f2f;width:3px;height:14px"></em>identity switch</p>'
    )
    return (
        f"<h2>Timeline</h2><p class='note'>A row for each labelled object.{more}</p>{legend}"
        + draw_timeline(events, assessment.times_s, seconds)
        + draw_errors(events, assessment.times_s, seconds)
    )


def _events(title: str, shown: Sequence[EventPictures], assessment: Assessment, words: str) -> str:
    if not shown:
        return f"<h2>{title}</h2><p class='faint'>There are none.</p>"
    times_s = assessment.times_s
    cards = []
    for item in shown:
        event = item.event
        when = f"{times_s[event.before]:.1f} to {times_s[event.after]:.1f} s"
        if isinstance(event, Switch):
            what = f"track {event.old} became {event.new}"
        else:
            frames = len(event.missed)
            what = f"not found in {frames} labelled frame{'s' * (frames > 1)}"
        pictures = "".join(
            f'<figure><img alt="{escape(p.words)}" src="{p.data_uri}"><figcaption>'
            f"{times_s[p.frame]:.1f} s: {escape(p.words)}</figcaption></figure>"
            for p in item.pictures
        )
        name = escape(f"{event.category} {event.object_id}")
        cards.append(
            f'<div class="event"><header><b>{name}</b> {escape(what)} <span>{when}</span></header>'
            f'<div class="strip">{pictures}</div></div>'
        )
    return f"<h2>{title}</h2><p class='note'>{words}</p><div class='events'>{''.join(cards)}</div>"


def _live(assessment: Assessment) -> str:
    live: dict[str, Any] = assessment.report["live"]
    seconds = assessment.report["drive"]["seconds"]
    counts = {
        "images played": live["images_played"],
        "answered in time": live["answered_in_time"],
        "answered late": live["answered_late"],
        "never answered": live["never_answered"],
        **{f"lost: {cause}": count for cause, count in live["lost_by_cause"].items()},
    }
    values = {name.removesuffix("_ms"): f"{ms:.1f} ms" for name, ms in live["latency"].items()}
    values["deadline"] = f"{1e3 * live['deadline_s']:.0f} ms"
    return (
        "<h2>In real time</h2><p class='note'>Latency is from the publication of an image to the "
        "arrival of its tracks. Images whose tracks came late or never are scored as empty.</p>"
        f"{draw_latency(assessment.run, seconds)}{draw_histogram(assessment.run)}"
        f'<div class="beside">{pairs_table(flat_pairs(counts))}{pairs_table(flat_pairs(values))}'
        "</div>"
    )


def _made(assessment: Assessment) -> str:
    report = assessment.report
    losses = "".join(f"<li>{escape(loss)}</li>" for loss in report["losses"])
    frames = {n: v for n, v in report["frames"].items() if isinstance(v, int)}
    parts = ["<h2>How it was made</h2>"]
    parts.append(f"<p>To be known of these figures:</p><ul>{losses}</ul>" if losses else "")
    facts = {**report["drive"], **{f"frames {name}": value for name, value in frames.items()}}
    facts |= {f"SHA-256 of {name}": value for name, value in report["sha256"].items()}
    facts |= report["speed"]
    rows = flat_pairs({name.replace("_", " "): value for name, value in facts.items()})
    parts.append(pairs_table(rows))
    parts.append("<details open><summary>Configuration</summary>")
    parts.append(pairs_table(flat_pairs(report["configuration"])) + "</details>")
    return "".join(parts)
