"""Every parameter of the tracker node: described, checked and defaulted in one place.

`Settings` declares the node's own parameters and `TrackerConfig` those of the tracker, which get
the prefix "tracker.". ROS-free; `masa_ros.parameter_server` declares them with rclpy.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import Field, dataclass, field, fields
from typing import Any

from masa_core.runtime.load import MASK_MODELS
from masa_core.tracking import TrackerConfig
from masa_core.tracking.presets import DEFAULT_PRESET, PRESETS
from masa_core.wording import nearest

PREFIX = "tracker."


def _setting(default: Any, text: str, **more: Any) -> Any:
    """`read_only` unless told otherwise: most are used when the node is configured."""
    metadata = {"help": text, "low": None, "high": None, "read_only": True, **more}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True)
class Settings:
    """The node's own parameters.

    Lists default to one empty name, because ROS cannot tell the type of an empty list; empty
    names count for nothing.
    """

    autostart: bool = _setting(
        True, "configure and activate by itself; false where a launch file does it"
    )
    model: str = _setting("nanodet_masa", "name of a model, or path of a bundle")
    device: str = _setting("cpu", "where the model runs: cpu, cuda or cuda:N")
    threads: int = _setting(
        0, "CPU threads of the model; 0: one for each core, four at most", low=0, high=256
    )
    dtype: str = _setting(
        "float32", "precision of the model", choices=("float32", "float16", "bfloat16")
    )
    detector: str = _setting(
        "bundle",
        "who finds the boxes: the model itself, its distilled head (objects of any kind), a topic,"
        " or a detector of transformers, by its folder or as OWNER/NAME",
        choices=("bundle", "proposals", "topic"),
        or_path=True,
    )
    detections_type: str = _setting(
        "auto",
        "message type of topic detections; auto: vision_msgs where it is installed",
        choices=("auto", "vision_msgs", "masa_ros"),
    )
    masks: str = _setting(
        "model",
        "who cuts out the tracked boxes: the model itself, where it can, nobody, or another model",
        choices=("model", "none", *MASK_MODELS),
    )
    prompt: str = _setting(
        "", "what an open-vocabulary detector looks for at first, such as: person, traffic light"
    )
    vocabulary: str = _setting(
        "",
        "classes for masa_detic: a .npy with their CLIP embeddings, and their names one a line in"
        " a .txt of that name beside it",
    )
    classes: tuple[str, ...] = _setting(
        ("",), "names of the classes to track, none for all of them", read_only=False
    )
    cameras: tuple[str, ...] = _setting(
        ("",), "several cameras: each NAME reads NAME/image and answers on masa/NAME/tracks"
    )
    image_transport: str = _setting(
        "raw",
        "raw: sensor_msgs/Image on topic image; compressed: CompressedImage on image/compressed",
        choices=("raw", "compressed"),
    )
    image_reliability: str = _setting(
        "reliable",
        "QoS of the image subscription; best_effort loses nearly all large images on stock"
        " Fast DDS, but is needed for a camera driver that publishes best effort",
        choices=("reliable", "best_effort"),
    )
    image_depth: int = _setting(
        10, "QoS of the image subscription: images that the middleware keeps", low=1, high=100
    )
    detections_reliability: str = _setting(
        "reliable",
        "QoS of the subscription to topic detections",
        choices=("reliable", "best_effort"),
    )
    queue_size: int = _setting(
        2,
        "images of a camera that wait for the model; a new one pushes out the oldest",
        low=1,
        high=100,
    )
    join_size: int = _setting(
        30,
        "detector topic: images, and detections, that wait for their partner with the same stamp",
        low=1,
        high=1000,
    )
    publish_embeddings: bool = _setting(
        False, "fill the embedding of each published track", read_only=False
    )


@dataclass(frozen=True)
class Parameter:
    """One ROS parameter. `low` and `high` are inclusive; `choices` are all allowed values, but for
    paths and names with a slash in them where it says `or_path`."""

    name: str
    default: Any
    text: str
    read_only: bool
    low: float | None = None
    high: float | None = None
    choices: tuple[str, ...] = ()
    or_path: bool = False

    def check(self, value: Any) -> Any:
        """The value, a whole number made decimal where that is meant. Raises ValueError."""
        kind = type(self.default)
        if kind is float and type(value) is int:
            value = float(value)
        if kind is tuple:
            good = isinstance(value, (list, tuple)) and all(isinstance(v, str) for v in value)
            value = tuple(value) if good else value
        else:
            good = type(value) is kind
        if not good:
            raise ValueError(f"parameter {self.name} is {value!r}, must be {_KINDS[kind]}")
        if self.choices and value not in self.choices and not (self.or_path and "/" in value):
            known = ", ".join(self.choices) + (", a folder or OWNER/NAME" if self.or_path else "")
            raise ValueError(f"parameter {self.name} is {value!r}, must be one of {known}")
        if self.low is not None and not (math.isfinite(value) and self.low <= value <= self.high):
            raise ValueError(
                f"parameter {self.name} is {value}, must be in {self.low}..{self.high}"
            )
        return value


_KINDS = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a text",
    tuple: "a list of texts",
}


def parameters(preset: str) -> dict[str, Parameter]:
    """All parameters by name, with those of the named tracker. Raises ValueError for a bad name."""
    named = [_parameter(spec.name, spec) for spec in fields(Settings)]
    named.append(
        Parameter(
            PREFIX + "preset",
            DEFAULT_PRESET,
            "name of the tracker; the other parameters under tracker are its own",
            read_only=True,
            choices=tuple(PRESETS),
        )
    )
    config = TrackerConfig.preset(preset)
    named += [_parameter(PREFIX + spec.name, spec) for spec in fields(config)]
    return {parameter.name: parameter for parameter in named}


def check_all(given: Mapping[str, Any]) -> dict[str, Any]:
    """The value of every parameter, from those that were given and the defaults.

    Raises ValueError with all that is wrong, one sentence a line: unknown names with the nearest
    known one, wrong types, values out of range.
    """
    wrong: list[str] = []
    preset = given.get(PREFIX + "preset", DEFAULT_PRESET)
    known = parameters(preset if preset in PRESETS else DEFAULT_PRESET)
    for name in given:
        if name not in known:
            wrong.append(_unknown(name, str(preset), list(known)))
    values: dict[str, Any] = {}
    for name, parameter in known.items():
        try:
            values[name] = parameter.check(given.get(name, parameter.default))
        except ValueError as error:
            wrong.append(str(error))
    if wrong:
        raise ValueError("\n".join(wrong))
    return values


def settings_of(values: Mapping[str, Any]) -> Settings:
    """The node's own parameters; empty names are left out of lists.

    Raises ValueError for cameras that cannot be part of a topic's name, or that are named twice.
    """
    own = {spec.name: values[spec.name] for spec in fields(Settings)}
    for name, value in own.items():
        if isinstance(value, tuple):
            own[name] = tuple(filter(str.strip, value))
    for camera in own["cameras"]:
        if not re.fullmatch(r"[A-Za-z][A-Za-z0-9_]*", camera) or own["cameras"].count(camera) > 1:
            raise ValueError(
                f"parameter cameras names {camera!r}: each must be named once, with letters,"
                " digits and underscores, and begin with a letter"
            )
    return Settings(**own)


def tracker_config_of(values: Mapping[str, Any]) -> TrackerConfig:
    """The tracker's parameters. Raises ValueError where they do not go together."""
    preset = values[PREFIX + "preset"]
    names = [spec.name for spec in fields(TrackerConfig.preset(preset))]
    return TrackerConfig.preset(preset, **{name: values[PREFIX + name] for name in names})


def _parameter(name: str, spec: Field[Any]) -> Parameter:
    meta = spec.metadata
    return Parameter(
        name,
        spec.default,
        meta["help"],
        meta.get("read_only", False),
        meta["low"],
        meta["high"],
        tuple(meta.get("choices", ())),
        meta.get("or_path", False),
    )


def _unknown(name: str, preset: str, known: list[str]) -> str:
    for other in PRESETS:
        if name in parameters(other):
            return f"parameter {name} belongs to tracker.preset {other}, not to {preset}"
    return f"unknown parameter {name}{nearest(name, known)}"
