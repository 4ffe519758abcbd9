"""Scoring of tracking results, equal to the benchmarks' own evaluators.

Importing this package is cheap; the extra ``eval`` is loaded with the first evaluation.
"""

from __future__ import annotations

from masa_core.evaluation.errors import FormatError
from masa_core.evaluation.protocols import PROTOCOLS, evaluate, protocol_settings
from masa_core.evaluation.report import as_text, figure_rows, write_report

__all__ = [
    "PROTOCOLS",
    "FormatError",
    "as_text",
    "evaluate",
    "figure_rows",
    "protocol_settings",
    "write_report",
]
