"""A convolution with its normalisation, named as in the published checkpoints."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

Norm = Literal["bn", "gn"]


class ConvNorm(nn.Module):
    """Same-size convolution, then an optional norm, then an optional ReLU.

    The norm is kept under the name of its kind (``.bn``, or ``.gn`` with 32 groups), because the
    published weights are keyed so. The convolution has a bias only where no norm follows, unless
    ``bias`` says otherwise.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        norm: Norm | None = None,
        relu: bool = False,
        bias: bool | None = None,
    ) -> None:
        super().__init__()
        with_bias = norm is None if bias is None else bias
        self.conv = nn.Conv2d(
            in_channels, out_channels, kernel, padding=kernel // 2, bias=with_bias
        )
        if norm == "bn":
            self.bn = nn.BatchNorm2d(out_channels)
        elif norm == "gn":
            self.gn = nn.GroupNorm(32, out_channels)
        self._norm = norm
        self._relu = relu

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        if self._norm is not None:
            x = self.get_submodule(self._norm)(x)
        return x.relu_() if self._relu else x
