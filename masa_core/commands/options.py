"""Options that several commands share: which model, which tracker, which parameters."""

from __future__ import annotations

import argparse

from masa_core.commands import CommandError
from masa_core.pipeline import MasaPipeline, labels_of
from masa_core.tracking import Tracker, TrackerConfig
from masa_core.tracking.presets import DEFAULT_PRESET


def add_pipeline_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("model and tracker")
    group.add_argument(
        "--model",
        default="nanodet_masa",
        metavar="NAME|FOLDER",
        help="name of a model, or the folder of a bundle (default: %(default)s)",
    )
    group.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N (default: cpu)")
    group.add_argument(
        "--dtype", default="float32", help="of a torch model: float32, float16 or bfloat16"
    )
    group.add_argument(
        "--tracker", default=DEFAULT_PRESET, metavar="PRESET", help="default: %(default)s"
    )
    group.add_argument(
        "--set",
        nargs="+",
        action="extend",
        default=[],
        metavar="NAME=VALUE",
        help="parameters of the tracker, such as init_score_thr=0.3",
    )
    group.add_argument(
        "--classes", nargs="+", metavar="NAME", help="track detections of these classes only"
    )


def tracker_config(preset: str, settings: list[str]) -> TrackerConfig:
    """Of `--tracker` and `--set`. Raises CommandError for an unknown name or a bad value."""
    overrides = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise CommandError(f"--set {setting}: write it as NAME=VALUE")
        overrides[name.strip()] = _number_or_text(value.strip())
    try:
        return TrackerConfig.preset(preset, **overrides)
    except ValueError as error:
        raise CommandError(str(error)) from error


def load_pipeline(
    args: argparse.Namespace, config: TrackerConfig, detects: bool = True
) -> MasaPipeline:
    """The pipeline that the options ask for. Raises CommandError.

    detects: whether the model must find the boxes; `--classes` are then those of its detector.
    """
    import masa_core
    from masa_core.runtime import ModelError

    try:
        model = masa_core.load_model(args.model, device=args.device, dtype=args.dtype)
    except ModelError as error:
        raise CommandError(str(error)) from error
    if not detects:
        return MasaPipeline(model, Tracker(config))
    if not model.has_detector:
        raise CommandError(f"model {model.name} has no detector: choose a model that has one")
    pipeline = MasaPipeline(model, Tracker(config))
    if args.classes is not None:
        try:
            pipeline.labels = labels_of(args.classes, model.classes)
        except ValueError as error:
            raise CommandError(f"--classes: {error}") from error
    return pipeline


def _number_or_text(text: str) -> bool | int | float | str:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text
