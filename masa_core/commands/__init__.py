"""The commands of `masa`, a module each, with `add_parser(subparsers)` and `run(args) -> int`.

`add_parser` must be cheap, since every call of `masa` makes all parsers; `run` imports what it
needs. Where the user can help it, `run` raises CommandError.
"""

from __future__ import annotations


class CommandError(Exception):
    """What went wrong, in a sentence for the user, who gets it without a stack trace."""
