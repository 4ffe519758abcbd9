"""The published models by name, with random weights until some are loaded."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from torch import nn

from masa_core.models.backbones.resnet import ResNet50
from masa_core.models.fusion import DeformFusion, DyHeadFusion
from masa_core.models.masa import Masa
from masa_core.models.preprocess import Preprocessing
from masa_core.models.pyramid import FPN, SimpleFPN
from masa_core.models.roi_head import BoxHead
from masa_core.models.rpn import RPN
from masa_core.models.track_head import EmbedHead
from masa_core.runtime.protocol import ModelError
from masa_core.wording import nearest

if TYPE_CHECKING:
    from masa_core.models.sam import Sam
    from masa_core.models.sam_masks import SamMasks

_STRIDES = (4, 8, 16, 32, 64)
_SWIN_STRIDES = (8, 16, 32, 64, 128)
_SWIN_CHANNELS = (256, 512, 1024)
# channels, blocks, heads, and the blocks with global attention, whose outputs are the taps
_VIT = {
    "vitb": (768, 12, 12, (2, 5, 8, 11)),
    "vith": (1280, 32, 16, (7, 15, 23, 31)),
}


def build(name: str) -> Masa:
    """The model in eval mode, float32, on the default device, with random weights.

    Names: masa_r50, masa_sam_vitb, masa_sam_vith, masa_gdino, masa_detic. Raises ModelError for
    another name, or where a package that the model needs is not installed.
    """
    return _build(name, _BUILDERS)


def build_masks(name: str) -> SamMasks:
    """SAM for masks alone: sam_vitb, sam_vith or mobile_sam. Otherwise as `build`."""
    return _build(name, _MASK_BUILDERS)


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


# The other models import what they need when they are built, because R50 needs torch alone.


def _masa_sam(name: str, size: str) -> Masa:
    return Masa(
        name,
        Preprocessing(divisor=1024),  # the encoder's position grid has one size
        (SimpleFPN(_VIT[size][0]), DyHeadFusion()),
        RPN(),
        BoxHead(),
        EmbedHead(),
        _STRIDES,
        roi_levels=4,
        detector=_sam(size),
    )


def _sam(size: str) -> Sam:
    from masa_core.models.backbones.sam_vit import SamViT
    from masa_core.models.sam import Sam

    return Sam(SamViT(*_VIT[size]))


def _sam_masks(name: str, size: str) -> SamMasks:
    from masa_core.models.sam_masks import SamMasks

    return SamMasks(name, _sam(size))


def _mobile_sam() -> SamMasks:
    from masa_core.models.backbones.tiny_vit import TinyViT
    from masa_core.models.sam import Sam
    from masa_core.models.sam_masks import SamMasks

    return SamMasks("mobile_sam", Sam(TinyViT()))


def _gdino() -> Masa:
    from masa_core.models.gdino import GroundingDino

    return _swin("masa_gdino", GroundingDino())


def _detic() -> Masa:
    from masa_core.models.detic import Detic

    return _swin("masa_detic", Detic())


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
    "masa_sam_vitb": lambda: _masa_sam("masa_sam_vitb", "vitb"),
    "masa_sam_vith": lambda: _masa_sam("masa_sam_vith", "vith"),
    "masa_gdino": _gdino,
    "masa_detic": _detic,
}
_MASK_BUILDERS: dict[str, Callable[[], SamMasks]] = {
    "sam_vitb": lambda: _sam_masks("sam_vitb", "vitb"),
    "sam_vith": lambda: _sam_masks("sam_vith", "vith"),
    "mobile_sam": _mobile_sam,
}
MODELS = tuple(_BUILDERS)
MASK_MODELS = tuple(_MASK_BUILDERS)

_Model = TypeVar("_Model", bound=nn.Module)


def _build(name: str, builders: dict[str, Callable[[], _Model]]) -> _Model:
    if name not in builders:
        raise ModelError(f"{name!r} is not a model{nearest(name, tuple(builders))}")
    try:
        return builders[name]().eval()
    except ModuleNotFoundError as error:
        raise ModelError(
            f"{name} needs {error.name}, which is not installed: pip install 'masa_ros[torch]'"
        ) from error
