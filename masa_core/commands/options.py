"""Options that several commands share: which model, which tracker, which parameters."""

from __future__ import annotations

import argparse
import math

import masa_core
from masa_core.commands import CommandError
from masa_core.detectors.load import load_detector
from masa_core.pipeline import MasaPipeline, labels_of
from masa_core.runtime import Model, ModelError
from masa_core.runtime.load import MASK_MODELS, TORCH_MODELS
from masa_core.runtime.objects import ObjectModel
from masa_core.runtime.protocol import Detector
from masa_core.tracking import Tracker, TrackerConfig
from masa_core.tracking.presets import DEFAULT_PRESET

PROPOSALS = "proposals"  # in place of a detector's name: the model's distilled head
NO_MASKS = "none"  # in place of a model's name


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
        "--masks",
        metavar="NAME",
        help="who cuts out the tracked boxes in the model's place: sam_vitb, sam_vith, mobile_sam, "
        "or none",
    )
    group.add_argument(
        "--detector",
        metavar="NAME|FOLDER",
        help="who finds the boxes, in place of the model's own detector: one of transformers "
        "(RT-DETR, D-FINE, DETR, Grounding DINO), by its folder or the name under which `hf "
        "download` fetched it; or proposals, the model's distilled head for objects of any kind",
    )
    group.add_argument(
        "--prompt", metavar="TEXT", help='what Grounding DINO looks for, such as "person, car"'
    )
    group.add_argument(
        "--vocabulary",
        metavar="FILE",
        help="classes for masa_detic: a .npy with their CLIP embeddings, (classes, 512), and their "
        "names one a line in a .txt of that name beside it; or the .txt alone, where CLIP is there",
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
        if args.detector and not detects:
            raise CommandError("--detector and --detections both give boxes: name one of them")
        model, detector = _load_model(args)
        masks = _load(args, args.masks) if args.masks not in (None, NO_MASKS) else None
        pipeline = MasaPipeline(model, Tracker(config), detector, masks)
        if args.masks == NO_MASKS:
            pipeline.mask_model = None
    except (ModelError, ValueError) as error:
        raise CommandError(str(error)) from error
    if not detects:
        return pipeline
    if detector is None and not model.has_detector:
        raise CommandError(
            f"model {model.name} has no detector: choose another model, or name a --detector"
        )
    if args.classes is not None:
        try:
            pipeline.labels = labels_of(args.classes, pipeline.classes)
        except ValueError as error:
            raise CommandError(f"--classes: {error}") from error
    return pipeline


def _load_model(args: argparse.Namespace) -> tuple[Model, Detector | None]:
    """The model, and the detector in its place where that is another."""
    if args.model in MASK_MODELS:
        raise CommandError(f"{args.model} gives masks only: name it with --masks")
    named = {args.model, args.masks}
    if (args.random_weights or args.weights) and not named & set(TORCH_MODELS):
        raise CommandError(
            f"--weights and --random-weights are for torch models: {', '.join(TORCH_MODELS)}"
        )
    if args.everything and args.detector:
        raise CommandError("--everything finds its own boxes: name no --detector")
    if args.vocabulary and (args.detector or args.model != "masa_detic"):
        raise CommandError("--vocabulary is for the detector of --model masa_detic")
    model = _load(args, args.model)
    if args.vocabulary:
        from masa_core.models.detic.vocabulary import use_vocabulary

        use_vocabulary(model, args.vocabulary)
    if args.everything:
        if args.model not in TORCH_MODELS:
            raise CommandError("--everything needs --model masa_sam_vitb or masa_sam_vith")
        from masa_core.models.everything import track_everything

        track_everything(model)
    if args.detector == PROPOSALS:
        model = ObjectModel(model)
    elif args.detector:
        return model, load_detector(args.detector, args.device, args.prompt or "")
    if args.prompt is not None:
        if not hasattr(model, "set_prompt"):
            raise CommandError(f"--prompt: {model.name} takes none; masa_gdino does")
        model.set_prompt(args.prompt)
    return model, None


def _load(args: argparse.Namespace, name: str) -> Model:
    torch_only = {"weights": args.weights, "random_weights": args.random_weights}
    return masa_core.load_model(
        name, device=args.device, dtype=args.dtype, **(torch_only if name in TORCH_MODELS else {})
    )


def positive(text: str) -> int:
    """Of an option that takes a whole number from 1 on. Raises ValueError."""
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def finite(text: str) -> float:
    """Of an option that takes a number: "nan" is none. Raises ValueError."""
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(text)
    return number


def from_zero(text: str) -> float:
    """Of an option that takes a number that is not negative. Raises ValueError."""
    number = finite(text)
    if number < 0:
        raise ValueError(text)
    return number


def _number_or_text(text: str) -> bool | int | float | str:
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            pass
    return text
