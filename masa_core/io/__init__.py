"""Reading frames from videos, folders and bags, and writing tracks to files."""

from __future__ import annotations

from masa_core.io.source import Source, SourceError, SourceFrame, open_source

__all__ = ["Source", "SourceError", "SourceFrame", "open_source"]
