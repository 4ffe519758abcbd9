"""Tracker parameters: one dataclass a preset, with the official names and default values.

Each field describes itself in its metadata (`help`, `low`, `high`), so that the ROS parameters,
the command line and the documentation all say the same.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, fields
from typing import Any, ClassVar

from masa_core.wording import nearest


def _parameter(default: Any, low: float | None, high: float | None, text: str, **more: Any) -> Any:
    return field(default=default, metadata={"help": text, "low": low, "high": high, **more})


def _score(default: float, text: str) -> Any:
    return _parameter(default, 0.0, 1.0, text)


@dataclass(frozen=True)
class TrackerConfig:
    """Parameters of a tracker. Make one with `TrackerConfig.preset(name)`.

    Raises ValueError for a value outside of its range.
    """

    name: ClassVar[str] = ""

    def __post_init__(self) -> None:
        for spec in fields(self):
            _check_value(spec.name, getattr(self, spec.name), spec.default, spec.metadata)

    @staticmethod
    def preset(name: str, **overrides: Any) -> TrackerConfig:
        """The parameters of a named tracker: `masa_plus`, or the official `masa_tao`, `masa_bdd`.

        The official ones have the names and default values of the official code. Raises ValueError
        for an unknown preset or parameter, naming the nearest known one.
        """
        kind = PRESETS.get(name)
        if kind is None:
            raise ValueError(f"unknown tracker {name!r}{nearest(name, list(PRESETS))}")
        known = [spec.name for spec in fields(kind)]
        for key in overrides:
            if key not in known:
                raise ValueError(f"tracker {name} has no parameter {key!r}{nearest(key, known)}")
        return kind(**overrides)


@dataclass(frozen=True)
class MasaPlusConfig(TrackerConfig):
    """Appearance and motion as one calibrated evidence, with a memory in seconds: the default."""

    name: ClassVar[str] = "masa_plus"

    init_score_thr: float = _score(0.5, "an unmatched detection above this score starts a track")
    obj_score_thr: float = _score(0.1, "a detection must be above this score to continue a track")
    duplicate_score_thr: float = _score(
        0.6, "below this score, a box that overlaps a better one is taken for its duplicate"
    )
    duplicate_iou_thr: float = _score(
        0.3, "overlap (IoU) with a better box above which a weak one is dropped"
    )
    match_evidence_thr: float = _parameter(
        0.0, -20.0, 20.0, "log odds that a match must exceed; higher: fewer, safer matches"
    )
    use_appearance: bool = _parameter(True, None, None, "match by embeddings")
    use_motion: bool = _parameter(True, None, None, "match by predicted box")
    camera_motion: bool = _parameter(
        True, None, None, "find how the camera moved between frames, and let the tracks follow"
    )
    with_cats: bool = _parameter(False, None, None, "match only within a class")
    memory_s: float = _parameter(
        30.0, 0.0, 3600.0, "a confirmed track can be found again for this many seconds"
    )
    tentative_memory_s: float = _parameter(
        2.0, 0.0, 3600.0, "a track that is not confirmed yet is remembered for this many seconds"
    )
    confirm_hits: int = _parameter(2, 1, 100, "detections after which a track is confirmed")
    coast_s: float = _parameter(
        0.2, 0.0, 60.0, "a confirmed track is predicted for this many seconds when it is not seen"
    )
    embedding_momentum: float = _score(
        0.3, "weight of the newest embedding in a track's running mean of embeddings"
    )
    gallery: bool = _parameter(
        True, None, None, "compare with a few good views of a track too, where a match is in doubt"
    )
    history_projection: bool = _parameter(
        False, None, None, "compare embeddings also in what tells the tracks of this scene apart"
    )
    score_smoothing_s: float = _parameter(
        0.0,
        0.0,
        60.0,
        "time constant with which a track's score follows its detections', 0: at once",
    )


@dataclass(frozen=True)
class OfficialConfig(TrackerConfig):
    """What the official trackers share. Their clock is the number of update() calls."""

    init_score_thr: float = _score(0.8, "an unmatched detection above this score starts a track")
    obj_score_thr: float = _score(0.5, "a detection must be above this score to continue a track")
    match_score_thr: float = _score(0.5, "a match must be above this similarity")
    memo_tracklet_frames: int = _parameter(
        10, 1, 1_000_000, "a track is forgotten when it was not seen for this many frames"
    )
    memo_momentum: float = _score(
        0.8, "weight of the newest embedding in a track's running mean of embeddings"
    )


@dataclass(frozen=True)
class MasaTaoConfig(OfficialConfig):
    """The tracker of the paper's Algorithm 1, used for everything but BDD100K."""

    name: ClassVar[str] = "masa_tao"

    distractor_score_thr: float = _score(
        0.5, "below this score, a box that overlaps a better one is taken for its duplicate"
    )
    distractor_nms_thr: float = _score(
        0.3, "overlap (IoU) with a better box above which a weak one is dropped"
    )
    max_distance: float = _parameter(
        -1.0, -1.0, 1e6, "distance in px at which a match is damped, -1: never"
    )
    fps: float = _parameter(1.0, 0.01, 10_000.0, "frame rate, used with max_distance only")
    with_cats: bool = _parameter(
        True, None, None, "stored, not used: the official tracker matches across classes"
    )


@dataclass(frozen=True)
class MasaBddConfig(OfficialConfig):
    """The tracker of the BDD100K benchmarks."""

    name: ClassVar[str] = "masa_bdd"

    memo_backdrop_frames: int = _parameter(
        1, 0, 1_000, "unmatched detections of this many frames are kept as backdrop"
    )
    nms_conf_thr: float = _score(
        0.5, "a weak detection that matches a track above this similarity is suppressed"
    )
    nms_backdrop_iou_thr: float = _score(0.3, "overlap (IoU) at which a weak box is a duplicate")
    nms_class_iou_thr: float = _score(0.7, "overlap (IoU) at which any box is a duplicate")
    with_cats: bool = _parameter(False, None, None, "match only within a class")
    match_metric: str = _parameter(
        "bisoftmax", None, None, "similarity", choices=("bisoftmax", "softmax", "cosine")
    )


DEFAULT_PRESET = MasaPlusConfig.name

PRESETS: dict[str, type[TrackerConfig]] = {
    kind.name: kind for kind in (MasaPlusConfig, MasaTaoConfig, MasaBddConfig)
}


def _check_value(name: str, value: Any, default: Any, metadata: Any) -> None:
    choices = metadata.get("choices")
    if choices is not None:
        if value not in choices:
            raise ValueError(f"{name} is {value!r}, must be one of {', '.join(choices)}")
        return
    if isinstance(default, bool):
        if not isinstance(value, bool):
            raise ValueError(f"{name} is {value!r}, must be true or false")
        return
    whole = isinstance(default, int)
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        raise ValueError(f"{name} is {value!r}, must be a {'whole ' if whole else ''}number")
    if not math.isfinite(value) or not metadata["low"] <= value <= metadata["high"]:
        raise ValueError(f"{name} is {value}, must be in {metadata['low']}..{metadata['high']}")
