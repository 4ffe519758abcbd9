"""Two views of one image, as if seen at two moments of a video (paper section 3.2.1)."""

from __future__ import annotations

from training.views.pair import make_pair
from training.views.settings import ViewSettings
from training.views.view import View

__all__ = ["View", "ViewSettings", "make_pair"]
