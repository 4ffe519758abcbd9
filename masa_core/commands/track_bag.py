"""The offline run of `masa evaluate-bag`: every frame of a bag through the pipeline."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from masa_core.commands.given_detections import open_detections
from masa_core.commands.options import load_pipeline, tracker_config
from masa_core.io import open_source
from masa_core.io.class_names import ClassNames
from masa_core.tracking import TrackerConfig

if TYPE_CHECKING:
    from masa_core.evaluation.bag.run import Run
    from masa_core.evaluation.bag.truth import Truth


def track_bag(args: argparse.Namespace, truth: Truth) -> Run:
    """Raises CommandError, SourceError and ModelError."""
    from masa_core.evaluation.bag.provenance import model_hash
    from masa_core.evaluation.bag.run import Run, track_offline

    config = tracker_config(args.tracker, args.set)
    with ExitStack() as stack:
        source = stack.enter_context(open_source(args.source, args.topic))
        detections = open_detections(args, source)
        if detections is not None:
            stack.callback(detections.close)
        pipeline = load_pipeline(args, config, detects=detections is None)
        names = ClassNames(pipeline.classes) if detections is None else detections.names
        progress = True if args.progress else None
        answers, speed = track_offline(
            source, pipeline, names.words, detections, truth.images, progress
        )
        losses = source.losses()
        losses += detections.losses(source_ended=True) if detections is not None else []
    return Run(
        mode="offline",
        by_image=answers,
        configuration=configuration(args, config, pipeline.model.name),
        model_sha256=model_hash(args.model, args.weights) if not args.random_weights else None,
        losses=losses,
        speed=speed,
    )


def configuration(args: argparse.Namespace, config: TrackerConfig, model: str) -> dict[str, Any]:
    """What figures are made with, of the options that say so."""
    return {
        "model": model,
        "device": args.device,
        "dtype": args.dtype,
        "detections": args.detections or args.detector or "of the model",
        "classes": args.classes or "all",
        "masks": args.masks or "model",
        "prompt": args.prompt or "none",
        "vocabulary": args.vocabulary or "none",
        "tracker": args.tracker,
        "parameters": asdict(config),
    }
