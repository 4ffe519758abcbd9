"""The fast deformable convolution beside torchvision's slow one."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
ops = pytest.importorskip("torchvision.ops")

from masa_core.models import deform_conv as module  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("size", [(1, 1), (13, 11), (48, 61)])  # the last in several tiles
def test_values_and_gradients_are_torchvisions(size, stride):
    generator = torch.Generator().manual_seed(0)
    out = [-(-side // stride) for side in size]
    shapes = ((2, 8, *size), (2, 18, *out), (2, 9, *out), (5, 8, 3, 3))
    tensors = [torch.randn(shape, generator=generator).requires_grad_() for shape in shapes]
    x, offset, mask, weight = tensors
    ours = module.deform_conv(x, offset, mask, weight, stride)
    theirs = ops.deform_conv2d(x, offset, weight, None, stride, 1, mask=mask)
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() < 1e-4
    toward = torch.randn(ours.shape, generator=generator)
    pairs = zip(
        torch.autograd.grad(ours, tensors, toward),
        torch.autograd.grad(theirs, tensors, toward),
        strict=True,
    )
    for a, b in pairs:
        assert (a - b).abs().max() < 1e-4 * b.abs().max().clamp(min=1)


def test_half_precision_samples_at_the_same_places():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, 8, 13, 300, generator=generator)  # wider than bfloat16 counts
    offset = torch.randn(1, 18, 13, 300, generator=generator)
    mask = torch.rand(1, 9, 13, 300, generator=generator)
    weight = torch.randn(5, 8, 3, 3, generator=generator) / 8
    exact = module.deform_conv(x, offset, mask, weight, 1)
    half = module.deform_conv(x.bfloat16(), offset, mask, weight.bfloat16(), 1).float()
    assert (half - exact).abs().max() < 0.02 * exact.abs().max()
