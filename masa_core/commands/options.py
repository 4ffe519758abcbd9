"""Options that several commands share: which model, which tracker, which parameters."""

from __future__ import annotations

import argparse

import masa_core
from masa_core.commands import CommandError
from masa_core.pipeline import MasaPipeline, labels_of
from masa_core.runtime import Model, ModelError
from masa_core.runtime.load import TORCH_MODELS
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
    group.add_argument(
        "--masks", metavar="NAME", help="model that cuts out the tracked boxes, such as sam_vitb"
    )
    group.add_argument(
        "--prompt", metavar="TEXT", help='what masa_gdino looks for, such as "person, car"'
    )
    group.add_argument(
        "--everything",
        action="store_true",
        help="segment and track objects of any kind, up to 300 a frame (masa_sam_vitb or _vith)",
    )
    group.add_argument(
        "--weights",
        metavar="PATH",
        help="file or folder, of a torch model (default: see `masa download --help`)",
    )
    group.add_argument(
        "--random-weights",
        action="store_true",
        help="run a torch model without its weights: shows that it runs, finds nothing sensible",
    )


def tracker_config(preset: str, settings: list[str]) -> TrackerConfig:
    """Of `--tracker` and `--set`. Raises CommandError for an unknown name or a bad value."""
    try:
        return TrackerConfig.preset(preset, **tracker_settings(settings))
    except ValueError as error:
        raise CommandError(str(error)) from error


def tracker_settings(settings: list[str]) -> dict[str, bool | int | float | str]:
    """Names and values of `--set`. Raises CommandError for one without a value."""
    overrides = {}
    for setting in settings:
        name, equals, value = setting.partition("=")
        if not equals:
            raise CommandError(f"--set {setting}: write it as NAME=VALUE")
        overrides[name.strip()] = _number_or_text(value.strip())
    return overrides


def load_pipeline(
    args: argparse.Namespace, config: TrackerConfig, detects: bool = True
) -> MasaPipeline:
    """The pipeline that the options ask for. Raises CommandError.

    detects: whether the model must find the boxes; `--classes` are then those of its detector.
    """
    try:
        model = _load_model(args)
        masks = _load(args, args.masks) if args.masks else None
        pipeline = MasaPipeline(model, Tracker(config), masks=masks)
    except (ModelError, ValueError) as error:
        raise CommandError(str(error)) from error
    if not detects:
        return pipeline
    if not model.has_detector:
        raise CommandError(f"model {model.name} has no detector: choose a model that has one")
    if args.classes is not None:
        try:
            pipeline.labels = labels_of(args.classes, model.classes)
        except ValueError as error:
            raise CommandError(f"--classes: {error}") from error
    return pipeline


def _load_model(args: argparse.Namespace) -> Model:
    if args.model.startswith("sam_"):
        raise CommandError(f"{args.model} gives masks only: name it with --masks")
    named = {args.model, args.masks}
    if (args.random_weights or args.weights) and not named & set(TORCH_MODELS):
        raise CommandError(
            f"--weights and --random-weights are for torch models: {', '.join(TORCH_MODELS)}"
        )
    model = _load(args, args.model)
    if args.prompt is not None:
        if not hasattr(model, "set_prompt"):
            raise CommandError(f"--prompt: {model.name} takes none; masa_gdino does")
        model.set_prompt(args.prompt)
    if args.everything:
        if args.model not in TORCH_MODELS:
            raise CommandError("--everything needs --model masa_sam_vitb or masa_sam_vith")
        from masa_core.models.everything import track_everything

        track_everything(model)
    return model


def _load(args: argparse.Namespace, name: str) -> Model:
    torch_only = {"weights": args.weights, "random_weights": args.random_weights}
    return masa_core.load_model(
        name, device=args.device, dtype=args.dtype, **(torch_only if name in TORCH_MODELS else {})
    )


def _number_or_text(text: str) -> bool | int | float | str:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text
