"""Two deformable convolutions, one result."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

from masa_core.models.deform_conv import deform_conv  # noqa: E402
from training.lean_deform_conv import lean_deform_conv  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.mark.parametrize(("stride", "oversized"), [(1, False), (2, False), (1, True)])
def test_it_equals_the_models_own_in_values_and_gradients(stride: int, oversized: bool) -> None:
    torch.manual_seed(0)
    rows, columns = (-(-side // stride) * (2 if oversized else 1) for side in (9, 12))
    shapes = ((2, 6, 9, 12), (2, 18, rows, columns), (2, 9, rows, columns), (4, 6, 3, 3))
    inputs = [torch.randn(shape, dtype=torch.float32, requires_grad=True) for shape in shapes]
    outputs = [operator(*inputs, stride) for operator in (deform_conv, lean_deform_conv)]
    torch.testing.assert_close(outputs[1], outputs[0], rtol=1e-4, atol=1e-5)
    weights = torch.randn_like(outputs[0])
    gradients = [torch.autograd.grad((out * weights).sum(), inputs) for out in outputs]
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(theirs, ours, rtol=1e-3, atol=1e-4)
