"""config/tracker.yaml, written from the declarations: `python -m masa_ros.parameter_file`."""

from __future__ import annotations

import textwrap
from typing import Any

from masa_core.tracking.presets import DEFAULT_PRESET
from masa_ros.parameters import PREFIX, Parameter, parameters

_HEAD = """\
# Every parameter of tracker_node with its default value.
#
# Those that are not marked read-only can be changed while the node runs, with "ros2 param set";
# the next image is tracked with them. A name that is not known or a value out of range stops the
# node at its start, with a sentence that names it.
#
# Written by: python3 -m masa_ros.parameter_file
/**:
  ros__parameters:
"""
_TRACKER = """\
    # With another preset, leave out the values below it: they are those of this one.
    tracker:
"""


def as_yaml() -> str:
    """The text of config/tracker.yaml."""
    known = list(parameters(DEFAULT_PRESET).values())
    node = [_entry(p, p.name, "    ") for p in known if not p.name.startswith(PREFIX)]
    tracker = [
        _entry(p, p.name[len(PREFIX) :], "      ") for p in known if p.name.startswith(PREFIX)
    ]
    return _HEAD + "\n".join(node) + "\n" + _TRACKER + "\n".join(tracker)


def _entry(parameter: Parameter, key: str, indent: str) -> str:
    words = [parameter.text[0].upper() + parameter.text[1:] + "."]
    if parameter.choices:
        more = ", a folder or OWNER/NAME" if parameter.or_path else ""
        words.append(f"One of {', '.join(parameter.choices)}{more}.")
    if parameter.low is not None and parameter.high is not None:
        words.append(f"{_number(parameter.low)} to {_number(parameter.high)}.")
    if parameter.read_only:
        words.append("Read-only.")
    comment = textwrap.wrap(" ".join(words), 97 - len(indent), break_on_hyphens=False)
    lines = [f"# {line}" for line in comment] + [f"{key}: {_value(parameter.default)}"]
    return "".join(f"{indent}{line}\n" for line in lines)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else str(value)


def _value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{text}"' for text in value) + "]"
    return str(value) if value != "" else '""'


if __name__ == "__main__":
    print(as_yaml(), end="")
