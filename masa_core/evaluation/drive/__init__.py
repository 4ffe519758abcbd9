"""Synthetic drives: a real road, drawn or cut-out traffic on it, and exact truth."""

from __future__ import annotations

from masa_core.evaluation.drive.background import Backdrop
from masa_core.evaluation.drive.settings import DriveSettings
from masa_core.evaluation.drive.write import drive_frames, write_drive

__all__ = ["Backdrop", "DriveSettings", "drive_frames", "write_drive"]
