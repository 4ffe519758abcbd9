"""From unlabeled images to an adapter: segments, two views, losses. Run from a checkout."""

from __future__ import annotations
