"""What `masa track` counts on its way, and the table that it prints at the end."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from masa_core.structures import Tracks

STAGES = ("read", "encode", "detect", "embed", "camera motion", "track", "masks", "write")


class Tally:
    """Counts frames, rows and ids, and adds up the seconds of each stage."""

    def __init__(self) -> None:
        self.frames = 0
        self.rows = 0
        self.ids: set[int] = set()
        self._seconds: defaultdict[str, float] = defaultdict(float)
        self._begin = time.perf_counter()

    def add(self, tracks: Tracks, timings: Mapping[str, float]) -> None:
        """One frame was tracked; timings: seconds of each stage of the pipeline."""
        self.frames += 1
        self.rows += len(tracks)
        self.ids.update(tracks.ids.tolist())
        for stage, seconds in timings.items():
            self._seconds[stage] += seconds

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        begin = time.perf_counter()
        try:
            yield
        finally:
            self._seconds[stage] += time.perf_counter() - begin

    def table(self, left_out: int, written: Sequence[str]) -> str:
        """A few lines for people. Stages are means over all frames."""
        elapsed_s = time.perf_counter() - self._begin
        stages = ", ".join(
            f"{stage} {1000 * self._seconds[stage] / self.frames:.1f}"
            for stage in STAGES
            if stage in self._seconds
        )
        rows = {
            "frames": str(self.frames),
            "left out": str(left_out),
            "tracks": f"{self.rows} ({self.rows / self.frames:.1f} per frame)",
            "ids": str(len(self.ids)),
            "speed": f"{self.frames / elapsed_s:.1f} frames per second",
            "ms per frame": stages,
            "written": ", ".join(written),
        }
        return "\n".join(f"{name:<14}{value}" for name, value in rows.items())
