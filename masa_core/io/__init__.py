"""Reading frames from videos, folders and bags, and writing tracks to files."""

from __future__ import annotations

from masa_core.io.open_source import open_source
from masa_core.io.source import Source, SourceError, SourceFrame

__all__ = ["Source", "SourceError", "SourceFrame", "open_source"]
