"""Tracking: detections and embeddings of one frame after the other in, identities out."""

from __future__ import annotations

from masa_core.tracking.presets import TrackerConfig
from masa_core.tracking.tracker import Tracker

__all__ = ["Tracker", "TrackerConfig"]
