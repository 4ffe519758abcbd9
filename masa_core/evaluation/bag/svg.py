"""Small pieces of SVG: shapes as text, and an axis of time that all charts of a report share."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

WIDTH = 1060  # of every chart, px
LEFT, RIGHT = 150, 80  # margins beside the plotted area
_STEPS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200)
_TICKS = 12


def element(name: str, content: str = "", **attributes: Any) -> str:
    """An element; an underscore in a name of an attribute is a hyphen, `class_` is class."""
    text = " ".join(
        f'{key.rstrip("_").replace("_", "-")}="{_value(value)}"'
        for key, value in attributes.items()
    )
    return f"<{name} {text}>{content}</{name}>" if content else f"<{name} {text}/>"


def _value(value: Any) -> str:
    return f"{value:.1f}".removesuffix(".0") if isinstance(value, float) else escape(str(value))


def label(x: float, y: float, words: str, kind: str = "tick", **attributes: Any) -> str:
    return element("text", escape(words), x=x, y=y, class_=kind, **attributes)


def rectangle(
    x: float, y: float, width: float, height: float, words: str = "", **attributes: Any
) -> str:
    """words: shown where the mouse rests on it."""
    title = f"<title>{escape(words)}</title>" if words else ""
    return element("rect", title, x=x, y=y, width=width, height=height, **attributes)


def picture(height: float, parts: Sequence[str], words: str) -> str:
    """A whole chart. words: what it shows, for those who cannot see it."""
    size = f"0 0 {WIDTH} {height:g}"
    return element("svg", "".join(parts), viewBox=size, role="img", aria_label=words)


class TimeAxis:
    """Seconds of the drive to x."""

    def __init__(self, seconds: float) -> None:
        self.seconds = max(seconds, 1e-3)

    def x(self, second: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * second / self.seconds

    def grid(self, top: float, bottom: float) -> list[str]:
        """Lines at round times, with their numbers below."""
        usable = (step for step in _STEPS_S if self.seconds / step <= _TICKS)
        step = next(usable, self.seconds / _TICKS)
        parts = []
        for tick in range(int(self.seconds / step + 1e-9) + 1):
            x = self.x(tick * step)
            parts.append(element("line", x1=x, x2=x, y1=top, y2=bottom, class_="grid"))
            parts.append(label(x, bottom + 14, f"{tick * step:g} s", text_anchor="middle"))
        return parts
