"""From a configuration to what is trained: a published model, or an adapter on an ONNX detector."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import nn

from masa_core.models import build
from masa_core.models.fusion import DeformFusion
from masa_core.models.masa import Masa
from masa_core.models.pyramid import FPN, LEVELS
from masa_core.models.roi_head import BoxHead
from masa_core.models.rpn import RPN
from masa_core.models.track_head import EmbedHead
from training.config import Config, ConfigError, OnnxAdapter
from training.mask_head import RoiMaskHead
from training.model import Learner
from training.onnx_backbone import BundlePreprocessing, OnnxBackbone, check_input, check_strides
from training.start_weights import published, start_from


def build_learner(config: Config, device: torch.device) -> tuple[Learner, str]:
    """The model that a configuration names, on its device, and a sentence on where it begins.

    New parts have the same random weights for the same `run.seed`. Raises ModelError or
    ConfigError for weights, a bundle or taps that are not as they must be.
    """
    torch.manual_seed(config.run.seed)
    if config.model is not None:
        model = build(config.model.name)
        start = "random weights in the backbone, too: the result is of use to tests alone"
        if not config.model.random_backbone:
            given = config.model.weights
            path = Path(given) if given else published(config.model.name)
            start = start_from(model, path, config.model.adapter == "given")
        batch_norm = config.model.batch_norm
        learner = Learner(model, None, True, config.run.seed, batch_norm)
    else:
        assert config.onnx is not None
        learner = onnx_learner(config.onnx, config.views.size, config.run.seed, device)
        taps = ", ".join(config.onnx.taps)
        start = f"{config.onnx.bundle}: frozen, tapped at {taps}; the adapter is new"
    return learner.to(device), start


def onnx_learner(settings: OnnxAdapter, side: int, seed: int, device: torch.device) -> Learner:
    """A new adapter on a frozen ONNX detector, for views of ``side`` px."""
    folder, strides = Path(settings.bundle), list(settings.taps.values())
    backbone = OnnxBackbone(folder, list(settings.taps), device)
    check_input(backbone.spec, side)
    check_strides(backbone, settings.taps)
    if settings.fusion and not backbone.spec.size:
        raise ConfigError(
            "onnx.fusion needs a detector with one input size: ONNX's DeformConv cannot be "
            f"exported for others; say 'size' in {folder / 'bundle.yaml'}, or leave fusion out"
        )
    width = settings.width
    while len(strides) < LEVELS:
        strides.append(2 * strides[-1])
    model = Masa(
        folder.name,
        BundlePreprocessing(backbone.spec),
        (FPN(backbone.channels, width), DeformFusion(width) if settings.fusion else nn.Identity()),
        RPN(width),
        BoxHead(width, settings.hidden),
        EmbedHead(width, settings.hidden, settings.embedding),
        strides,
        len(settings.taps),
        backbone=backbone,
    )
    mask_head = RoiMaskHead(width, strides[: len(settings.taps)]) if settings.masks else None
    return Learner(model, mask_head, settings.detection, seed, settings.batch_norm)
