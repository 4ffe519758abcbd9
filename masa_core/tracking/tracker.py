"""The tracker: keeps identities over the detections of one frame after the other."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from masa_core.structures import Detections, Tracks
from masa_core.tracking.columns import Columns
from masa_core.tracking.official import OfficialTracker
from masa_core.tracking.plus import PlusTracker
from masa_core.tracking.presets import MasaPlusConfig, OfficialConfig, TrackerConfig


class Tracker:
    """Links instances across frames by their embeddings (paper, Sec. 3.3 and Algorithm 1).

    One tracker serves one camera. Not thread-safe.
    """

    def __init__(self, config: TrackerConfig) -> None:
        self._config = config
        self.reset()

    @property
    def config(self) -> TrackerConfig:
        """Assign another configuration of the same preset to change it from the next frame on."""
        return self._config

    @config.setter
    def config(self, config: TrackerConfig) -> None:
        if type(config) is not type(self._config):
            raise ValueError(f"this tracker is {self._config.name}, not {config.name}")
        self._config = self._engine.config = config

    @property
    def memory(self) -> Columns:
        """The tracks that can still be found again; its length is their number."""
        return self._engine.memory

    def reset(self) -> None:
        """Forget everything; ids start at 0 again. Begins a new epoch."""
        self._engine = _engine(self._config)
        self._width = 0  # of embeddings; 0: not known yet

    @property
    def wants_camera_motion(self) -> bool:
        """Whether `update` makes use of the camera's motion."""
        return isinstance(self._config, MasaPlusConfig) and self._config.camera_motion

    def without_duplicates(self, detections: Detections) -> Detections:
        """The detections that `update` looks at, in their order: only these need an embedding.

        The others overlap a better one. `update` leaves them out by itself where it is given them.
        """
        order = np.argsort(-detections.scores, kind="stable")
        return detections[np.sort(order[~self._engine.duplicates(detections[order])])]

    def update(
        self,
        detections: Detections,
        embeddings: NDArray[np.float32],
        stamp_ns: int,
        camera_motion: NDArray[np.float64] | None = None,
    ) -> Tracks:
        """The tracks of one frame.

        detections: N of them, any order. embeddings: (N, D) float32, one for each, not normalised.
        stamp_ns: when the frame was taken; the official presets use it for velocities only. One
        that goes back counts as no time; by more than a second, what is remembered counts as seen
        a second after it, since the clock was set.
        camera_motion: (2, 3) float64 matrix from pixels of the frame of the last update to pixels
        of this one, as from `CameraMotion`; None where it is not known. masa_plus with its
        parameter camera_motion follows it, the official presets do not.

        Returns the detections that continue or begin a track, by falling score; masa_plus adds
        the tracks that coast, with state COASTED.
        Raises ValueError when there is not one finite embedding for each detection, or when the
        camera's motion is not such a matrix.
        """
        embeddings = np.asarray(embeddings, np.float32)
        if len(detections):
            self._check(detections, embeddings)
        if camera_motion is not None:
            camera_motion = np.asarray(camera_motion, np.float64)
            if camera_motion.shape != (2, 3) or not np.isfinite(camera_motion).all():
                raise ValueError(f"camera_motion must be a finite (2, 3) matrix: {camera_motion}")
        # Stamps of NumPy's types would give their columns other types, and some cannot be negative.
        return self._engine.update(detections, embeddings, int(stamp_ns), camera_motion)

    def _check(self, detections: Detections, embeddings: NDArray[np.float32]) -> None:
        count = len(detections)
        if embeddings.ndim != 2 or len(embeddings) != count:
            raise ValueError(
                f"{count} detections need embeddings of shape ({count}, D), got {embeddings.shape}"
            )
        if self._width not in (0, embeddings.shape[1]):
            raise ValueError(
                f"embeddings have {embeddings.shape[1]} values, earlier ones had {self._width}"
            )
        if not np.isfinite(embeddings).all():
            raise ValueError("embeddings hold a value that is not a finite number")
        self._width = embeddings.shape[1]


class _Engine(Protocol):
    config: Any
    memory: Any

    def duplicates(self, detections: Detections) -> NDArray[np.bool_]:
        """(N,) which of N detections, best first, are left out for a better one."""
        ...

    def update(
        self,
        detections: Detections,
        embeddings: NDArray[np.float32],
        stamp_ns: int,
        camera_motion: NDArray[np.float64] | None = None,
    ) -> Tracks: ...


def _engine(config: TrackerConfig) -> _Engine:
    if isinstance(config, MasaPlusConfig):
        return PlusTracker(config)
    if isinstance(config, OfficialConfig):
        return OfficialTracker(config)
    raise TypeError(f"{type(config).__name__} is no preset; use TrackerConfig.preset(name)")
