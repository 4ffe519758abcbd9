"""Search of tracker parameters on rosbags: `masa tune`. Needs the extra ``tune``."""

from __future__ import annotations
