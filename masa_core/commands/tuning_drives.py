"""The bags of `masa tune`: their truth, and their detections and embeddings, computed once."""

from __future__ import annotations

import argparse
import hashlib
import json
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from masa_core.commands import CommandError
from masa_core.commands.given_detections import open_detections
from masa_core.commands.options import load_pipeline
from masa_core.commands.truth_options import renamed, truth_options, truth_source
from masa_core.io import open_source
from masa_core.io.class_names import ClassNames
from masa_core.io.joined import joined
from masa_core.tracking import TrackerConfig
from masa_core.tracking.presets import DEFAULT_PRESET

if TYPE_CHECKING:
    from masa_core.evaluation.tuning.drives import TuningDrive


def open_drives(args: argparse.Namespace) -> list[TuningDrive]:
    """One for each bag. Raises CommandError, SourceError, ModelError and ValueError."""
    if args.detections and len(args.bags) > 1 and Path(args.detections).exists():
        raise CommandError(f"--detections {args.detections}: of several bags, name a topic")
    if args.masks:
        raise CommandError("--masks: masks do not change what is tuned")
    truths = _truths(args.bags, args.truth)
    names = _names(args.bags)
    return [_open(args, *each) for each in zip(args.bags, truths, names, strict=True)]


def _truths(bags: Sequence[Path], given: Sequence[str] | None) -> list[str]:
    if given is None:
        return [truth_source(None, bag) for bag in bags]
    if len(given) == 1 and given[0].startswith("/") and not Path(given[0]).exists():
        return [given[0]] * len(bags)
    if len(given) != len(bags):
        raise CommandError(f"--truth names {len(given)} files for {len(bags)} bags")
    return list(given)


def _names(bags: Sequence[Path]) -> list[str]:
    names = [bag.resolve().name for bag in bags]
    if len(set(names)) == len(names):
        return names
    paths = [str(bag) for bag in bags]
    if len(set(paths)) < len(paths):
        raise CommandError("a bag is named twice")
    return paths


def _open(args: argparse.Namespace, bag: Path, truth: str, name: str) -> TuningDrive:
    from masa_core.evaluation.bag.camera import read_camera
    from masa_core.evaluation.bag.provenance import bag_hash, model_hash, truth_hash
    from masa_core.evaluation.bag.scoring import Classes
    from masa_core.evaluation.bag.truth import read_truth
    from masa_core.evaluation.tuning.drives import TuningDrive

    camera = read_camera(bag, args.topic)
    labels = read_truth(camera, truth, truth_options(args))
    digest = bag_hash(bag)
    hashes: dict[str, str | None] = {"bag": digest, "truth": truth_hash(truth, digest)}
    if not args.random_weights:
        hashes["model"] = model_hash(args.model, args.weights)
    folder = args.cache or args.output / "cache"
    cache = folder / f"{bag.resolve().name}-{_key(args, camera.topic, hashes)}.npz"
    if not cache.exists():
        folder.mkdir(parents=True, exist_ok=True)
        _fill(args, bag, cache)
    return TuningDrive(name, labels, Classes(labels, renamed(args)), cache, hashes)


def _key(args: argparse.Namespace, topic: str, hashes: dict[str, str | None]) -> str:
    """Of everything that what is cached depends on."""
    from masa_core.evaluation.tuning.cache import FORMAT

    made_of: dict[str, Any] = {
        "format": FORMAT,
        **{name: hashes.get(name) for name in ("bag", "model")},
        **{
            name: getattr(args, name)
            for name in (
                "model",
                "device",
                "dtype",
                "detector",
                "prompt",
                "vocabulary",
                "everything",
                "classes",
                "random_weights",
                "detections",
                "detections_video",
            )
        },
        "topic": topic,
    }
    for option in ("detections", "detections_images", "vocabulary"):
        path = getattr(args, option)
        if path and Path(path).is_file():
            made_of[option] = hashlib.sha256(Path(path).read_bytes()).hexdigest()
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()[:16]


def _fill(args: argparse.Namespace, bag: Path, cache: Path) -> None:
    """Runs the model over every image, with a tracker that only takes notes."""
    from tqdm import tqdm

    from masa_core.evaluation.tuning.cache import CacheWriter

    args = argparse.Namespace(**{**vars(args), "source": bag})
    with ExitStack() as stack:
        source = stack.enter_context(open_source(bag, args.topic))
        detections = open_detections(args, source)
        if detections is not None:
            stack.callback(detections.close)
        config = TrackerConfig.preset(DEFAULT_PRESET)
        pipeline = load_pipeline(args, config, detects=detections is None)
        names = ClassNames(pipeline.classes) if detections is None else detections.names
        writer = CacheWriter(cache)
        pipeline.tracker = writer  # type: ignore[assignment] # it takes what a tracker takes
        try:
            hide = False if args.progress else None
            work = joined(source, detections)
            for frame, found in tqdm(
                work, total=source.length, unit="frame", desc=bag.name, disable=hide
            ):
                writer.image = frame.index
                pipeline.step(frame.image, frame.stamp_ns, found, frame.epoch)
            writer.close(list(names.words))
        except BaseException:
            writer.discard()
            raise
