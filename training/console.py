"""Of all of training's commands: how they end, and what a terminal can show."""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import NoReturn


def exit_with(main: Callable[[], int | None]) -> NoReturn:
    """End the process, started with `python -m`, with what ``main`` returns; at Ctrl-C with 130."""
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        spec = sys.modules["__main__"].__spec__
        assert spec is not None
        print(f"{spec.name.removesuffix('.__main__')}: interrupted", file=sys.stderr)
        sys.exit(130)


def show_any_name() -> None:
    """Lets `print` show file names that are no text, as those from older systems are, with escapes.

    A terminal in UTF-8 refuses them, and what was to be said would be lost with the work.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")
