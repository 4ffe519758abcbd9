"""The tables of the report, as HTML."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

from masa_core.evaluation.bag.baseline import Change, Comparison
from masa_core.evaluation.bdd_labels import CLASSES

_SECTIONS = {
    "bdd_mot": "BDD100K's classes",
    "all_objects": "all objects",
    "bdd_mots": "BDD100K's classes, masks",
    "all_masks": "all objects, masks",
}
# Figure, family, whether it is a share of 100.
_COLUMNS = (
    ("HOTA", "HOTA", True),
    ("DetA", "HOTA", True),
    ("AssA", "HOTA", True),
    ("MOTA", "CLEAR", True),
    ("IDF1", "CLEAR", True),
    ("TETA", "TETA", True),
    ("AssocA", "TETA", True),
    ("IDSw", "CLEAR", False),
    ("FM", "CLEAR", False),
    ("FP", "CLEAR", False),
    ("FN", "CLEAR", False),
)


def class_table(figures: Mapping[str, Any]) -> str:
    """A row for each class, then all of BDD100K's together, then all objects."""
    rows = []
    bdd = figures.get("bdd_mot")
    if bdd:
        seen = [name for name in CLASSES if _objects(bdd["per_class"], name) or _tracks(bdd, name)]
        rows += [_class_row(name, bdd["per_class"], name) for name in seen]
    others = figures.get("other_classes")
    if others:
        names = list(next(iter(others["per_class"].values())))
        rows += [_class_row(name, others["per_class"], name) for name in names]
    if bdd:
        rows.append(_class_row("BDD100K's classes together", bdd["per_class"], "OVERALL", "sum"))
        rows.append(_class_row("mean over its 8 classes", bdd["per_class"], "AVERAGE", "sum"))
    if "bdd_mots" in figures:
        per_class = figures["bdd_mots"]["per_class"]
        rows.append(_class_row("BDD100K's classes together, masks", per_class, "OVERALL", "sum"))
    for section, title in (("all_objects", "class ignored"), ("all_masks", "masks")):
        if section in figures:
            merged = {family: {"all": v} for family, v in figures[section]["figures"].items()}
            rows.append(_class_row(f"all objects, {title}", merged, "all", "sum"))
    heads = "".join(f"<th>{name}</th>" for name, _, _ in _COLUMNS)
    return (
        f'<table class="figures"><thead><tr><th>class</th><th>objects</th>{heads}</tr></thead>'
        f"<tbody>{''.join(rows)}</tbody></table>"
    )


def _objects(per_class: Mapping[str, Any], name: str) -> int:
    clear = per_class.get("CLEAR", {}).get(name, {})
    return sum(clear.get(part) or 0 for part in ("MT", "PT", "ML"))


def _tracks(section: Mapping[str, Any], name: str) -> int:
    return section["per_class"].get("HOTA", {}).get(name, {}).get("Dets") or 0


def _class_row(title: str, per_class: Mapping[str, Any], name: str, kind: str = "") -> str:
    cells = [f"<th>{escape(title)}</th><td>{_objects(per_class, name)}</td>"]
    for figure, family, is_share in _COLUMNS:
        value = per_class.get(family, {}).get(name, {}).get(figure)
        if not isinstance(value, (int, float)):
            cells.append('<td class="none">-</td>')
        elif is_share:
            filled = min(max(value, 0), 100)
            cells.append(f'<td class="share" style="--filled:{filled:.1f}%">{value:.1f}</td>')
        else:
            cells.append(f"<td>{value:g}</td>")
    return f'<tr class="{kind}">{"".join(cells)}</tr>'


def comparison_tables(comparison: Comparison) -> str:
    """Figures then and now, and what else differs between the two runs."""
    parts = []
    for section, title in _SECTIONS.items():
        rows = [_change_row(change) for change in comparison.changes if change.section == section]
        if rows:
            heads = "".join(f"<th>{word}</th>" for word in (title, "then", "now", "change"))
            parts.append(
                f"<table><thead><tr>{heads}</tr></thead><tbody>{''.join(rows)}</tbody></table>"
            )
    differing = [
        (escape(name), f"{escape(then)} → {escape(now)}")
        for name, then, now in comparison.differing
    ]
    words = "<h3>What was changed</h3>" + pairs_table(differing)
    if not differing:
        words = "<p class='faint'>Model, tracker and all parameters are the same.</p>"
    return f'<div class="beside">{"".join(parts)}<div>{words}</div></div>'


def _change_row(change: Change) -> str:
    digits = 2 if change.more_is_better else 0
    return (
        f"<tr><th>{change.figure}</th><td>{change.before:.{digits}f}</td>"
        f"<td>{change.after:.{digits}f}</td>"
        f'<td class="{change.verdict}">{change.difference:+.{digits}f}</td></tr>'
    )


def pairs_table(rows: Sequence[tuple[str, str]]) -> str:
    """Names and values; both HTML."""
    lines = "".join(f"<tr><th>{name}</th><td>{value}</td></tr>" for name, value in rows)
    return f'<table class="pairs"><tbody>{lines}</tbody></table>'


def flat_pairs(values: Mapping[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    """Nested mappings as rows for `pairs_table`."""
    rows: list[tuple[str, str]] = []
    for name, value in values.items():
        if isinstance(value, Mapping):
            rows += flat_pairs(value, f"{prefix}{name}.")
        else:
            text = f"{value:.6g}" if isinstance(value, float) else str(value)
            rows.append((escape(prefix + name), escape(text)))
    return rows
