"""Running a model in half precision, but for what must not."""

from __future__ import annotations

from itertools import chain
from typing import TypeVar

import torch
from torch import nn

_Module = TypeVar("_Module", bound=nn.Module)


def set_type(module: _Module, dtype: torch.dtype) -> _Module:
    """Run a module in another type.

    Parts that need float32 are left as they are: a class names them, as its submodules, in
    ``float32_parts``.
    """
    exact = {
        id(tensor)
        for owner in module.modules()
        for part in getattr(owner, "float32_parts", ())
        for tensor in _tensors(owner.get_submodule(part))
    }
    for tensor in _tensors(module):
        if tensor.is_floating_point() and id(tensor) not in exact:
            tensor.data = tensor.data.to(dtype)
    return module


def _tensors(module: nn.Module) -> chain[torch.Tensor]:
    return chain(module.parameters(), module.buffers())
