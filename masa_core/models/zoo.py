"""The published models by name, with random weights until some are loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn

from masa_core.models.backbones.resnet import ResNet50
from masa_core.models.checkpoints import load_official
from masa_core.models.fusion import DeformFusion, DyHeadFusion
from masa_core.models.masa import Masa
from masa_core.models.preprocess import Preprocessing
from masa_core.models.pyramid import FPN, SimpleFPN
from masa_core.models.roi_head import BoxHead
from masa_core.models.rpn import RPN
from masa_core.models.track_head import EmbedHead
from masa_core.models.weights import find_weights
from masa_core.runtime.protocol import ModelError
from masa_core.wording import nearest

_STRIDES = (4, 8, 16, 32, 64)
_SWIN_STRIDES = (8, 16, 32, 64, 128)
_SWIN_CHANNELS = (256, 512, 1024)
_DTYPES = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}


def build(name: str) -> Masa:
    """The model in eval mode, float32, on the default device, with random weights.

    Names: masa_r50, masa_sam_vitb, masa_sam_vith, masa_gdino, masa_detic. Raises ModelError for
    another name, or where a package that the model needs is not installed.
    """
    if name not in _BUILDERS:
        raise ModelError(f"{name!r} is not a model{nearest(name, MODELS)}")
    try:
        model = _BUILDERS[name]()
    except ModuleNotFoundError as error:
        raise ModelError(
            f"{name} needs {error.name}, which is not installed: pip install 'masa_ros[torch]'"
        ) from error
    return model.eval()


def _r50() -> Masa:
    return Masa(
        "masa_r50",
        Preprocessing(divisor=32),
        (FPN((256, 512, 1024, 2048)), DeformFusion()),
        RPN(),
        BoxHead(convs=4, fcs=1),
        EmbedHead(),
        _STRIDES,
        roi_levels=4,
        backbone=ResNet50(),
    )


def _sam(name: str, channels: int, depth: int, heads: int, taps: tuple[int, ...]) -> Masa:
    # Imported here, because only these two models need the segment-anything package.
    from masa_core.models.backbones.sam_vit import SamViT
    from masa_core.models.sam import Sam

    return Masa(
        name,
        Preprocessing(divisor=1024),  # the encoder's position grid has one size
        (SimpleFPN(channels), DyHeadFusion()),
        RPN(),
        BoxHead(),
        EmbedHead(),
        _STRIDES,
        roi_levels=4,
        detector=Sam(SamViT(channels, depth, heads, taps)),
    )


def _sam_vitb() -> Masa:
    return _sam("masa_sam_vitb", 768, 12, 12, (2, 5, 8, 11))


def _sam_vith() -> Masa:
    return _sam("masa_sam_vith", 1280, 32, 16, (7, 15, 23, 31))


def _detic() -> Masa:
    from masa_core.models.detic import Detic

    return _swin("masa_detic", Detic())


def _gdino() -> Masa:
    from masa_core.models.gdino import GroundingDino

    return _swin("masa_gdino", GroundingDino())


def _swin(name: str, detector: nn.Module) -> Masa:
    return Masa(
        name,
        Preprocessing(1333, 800, divisor=32),
        (FPN(_SWIN_CHANNELS), DeformFusion()),
        RPN(),
        BoxHead(),
        EmbedHead(),
        _SWIN_STRIDES,
        roi_levels=3,
        detector=detector,
    )


_BUILDERS: dict[str, Callable[[], Masa]] = {
    "masa_r50": _r50,
    "masa_sam_vitb": _sam_vitb,
    "masa_sam_vith": _sam_vith,
    "masa_gdino": _gdino,
    "masa_detic": _detic,
}
MODELS = tuple(_BUILDERS)


def load(
    name: str,
    device: str = "cpu",
    dtype: str = "float32",
    random_weights: bool = False,
    weights: str | Path | None = None,
) -> Masa:
    """A model that is ready to run. It satisfies `masa_core.runtime.protocol.Model`.

    device: "cpu", "cuda", "cuda:1". dtype: "float32", "float16" or "bfloat16". weights: a file, or
    a folder to look in (see `find_weights`). random_weights: no file at all, the same random
    numbers every time, and a name that says so; the boxes mean nothing then.

    Raises ModelError when there are no weights, they do not fit, or the device is not there.
    """
    kind = _DTYPES.get(dtype)
    if kind is None:
        raise ModelError(f"{dtype!r} is not a type to run in{nearest(dtype, tuple(_DTYPES))}")
    target = _device(device)
    # Looked for before the model is built, which takes a while.
    path = None if random_weights or name not in _BUILDERS else find_weights(name, weights)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = build(name)
    if path is None:
        model.name = f"{name} (random weights)"
    else:
        load_official(model, path)
    return model.set_type(kind).to(target)


def _device(device: str) -> torch.device:
    try:
        target = torch.device(device)
        torch.empty(0, device=target)
    except (RuntimeError, AssertionError) as error:
        raise ModelError(
            f"device {device!r} cannot be used ({str(error).splitlines()[0]}); "
            "'cpu' is always there"
        ) from error
    return target
