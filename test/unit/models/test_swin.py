"""The Swin backbone against vectors of the official implementation."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")

from masa_core.models.backbones.swin import Swin  # noqa: E402

from .golden import assert_close, load, tensors  # noqa: E402
from .recipe import official_shapes  # noqa: E402

pytestmark = pytest.mark.torch


@torch.inference_mode()
def test_taps():
    """Window 7 on 117 x 150 px: both sides need padding to patches, windows and even sizes."""
    v = tensors("swin_small_w7")
    swin = Swin(int(v["window_size"]), dims=16, depths=(2, 2, 2, 2), heads=(1, 2, 4, 8))
    load(swin, v, "sd.")
    taps = swin(v["img"])
    assert swin.channels == tuple(tap.shape[1] for tap in taps)
    for i, tap in enumerate(taps):
        assert_close(tap, v[f"tap{i}"])


@torch.inference_mode()
def test_an_image_does_not_see_its_batch():
    torch.manual_seed(0)
    swin = Swin(7, dims=16, depths=(1, 2, 1, 1), heads=(1, 2, 4, 8)).eval()
    images = torch.randn(2, 3, 70, 45)
    for both, alone in zip(swin(images), swin(images[1:]), strict=True):
        assert_close(both[1:], alone, 1e-5)


@pytest.mark.parametrize(("model", "window"), [("masa_detic", 7), ("masa_gdino", 12)])
def test_keys_are_those_of_the_official_checkpoints(model, window):
    prefix = "detector.backbone."
    with torch.device("meta"):
        keys = {k: tuple(v.shape) for k, v in Swin(window).state_dict(prefix=prefix).items()}
    official = official_shapes(model)
    assert keys == {k: s for k, s in official.items() if k.startswith(prefix)}
