"""Boxes from a detector's raw outputs."""

from __future__ import annotations

from masa_core.detectors.decode import LAYOUTS, DetectorSpec, decode, suppress

__all__ = ["LAYOUTS", "DetectorSpec", "decode", "suppress"]
