"""What a terminal can show."""

from __future__ import annotations

import io
import sys


def show_any_name() -> None:
    """Lets `print` show file names that are no text, as those from older systems are, with escapes.

    A terminal in UTF-8 refuses them, and what was to be said would be lost with the work.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
