"""A device beside the CPU where there is none: tensors that say so, and refuse to meet others.

Its tensors hold a tensor of the CPU and compute with that. They call their device "meta", the one
device beside the CPU that PyTorch has in every build; as on a GPU, a tensor of the CPU may only be
copied to it, index it, or be a single number.
"""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from unittest.mock import patch

import torch
from torch.utils._python_dispatch import TorchDispatchMode, return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")
_aten = torch.ops.aten
_COPY = _aten.copy_.default
_MAY_INDEX = (_aten.index.Tensor, _aten._index_put_impl_.default)


class Tensor(torch.Tensor):
    """On the other device."""

    @staticmethod
    def __new__(cls, held: torch.Tensor) -> Tensor:
        facts = {"dtype": held.dtype, "layout": held.layout, "device": DEVICE}
        made = torch.Tensor._make_wrapper_subclass(
            cls, held.size(), strides=held.stride(), storage_offset=held.storage_offset(), **facts
        )
        made.held = held
        return made

    __torch_function__ = torch._C._disabled_torch_function_impl

    @classmethod
    def __torch_dispatch__(cls, operator, types, args=(), kwargs=None):
        return _run(operator, args, kwargs or {})

    def tolist(self):
        return self.held.tolist()

    def new_tensor(self, data, dtype=None):
        return torch.tensor(data, dtype=dtype or self.dtype, device=DEVICE)


def _run(operator, args, kwargs):
    tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, torch.Tensor)]
    others = [tensor for tensor in tensors if isinstance(tensor, Tensor)]
    strangers = [t for t in tensors if not isinstance(t, Tensor) and t.dim() > 0]
    into_others = operator in _MAY_INDEX and isinstance(args[0], Tensor)
    if others and strangers and not (into_others or operator is _COPY):
        shapes = [tuple(tensor.shape) for tensor in strangers]
        raise RuntimeError(f"{operator}: tensors {shapes} are on the CPU, others are not")
    wanted = kwargs.get("device")
    there = isinstance(args[0], Tensor) if operator is _COPY else bool(others)
    if wanted is not None:
        there = wanted == DEVICE
        kwargs = kwargs | {"device": torch.device("cpu")}
    held_args, held_kwargs = tree_map(
        lambda leaf: leaf.held if isinstance(leaf, Tensor) else leaf, (args, kwargs)
    )
    result = operator(*held_args, **held_kwargs)
    if not there:
        return result
    result = tree_map(lambda x: Tensor(x) if isinstance(x, torch.Tensor) else x, result)
    return return_and_correct_aliasing(operator, args, kwargs, result) if others else result


class _Mode(TorchDispatchMode):
    def __torch_dispatch__(self, operator, types, args=(), kwargs=None):
        return _run(operator, args, kwargs or {})


@contextmanager
def other_device():
    """In the block, DEVICE can be computed on."""
    autocast, tensor = torch.autocast, torch.tensor

    def autocast_there(device, *args, **kwargs):
        return nullcontext() if device == DEVICE.type else autocast(device, *args, **kwargs)

    def tensor_there(data, dtype=None, device=None):  # PyTorch's own would stay without values
        made = tensor(data, dtype=dtype)
        return made if device is None else made.to(device)

    with patch("torch.autocast", autocast_there), patch("torch.tensor", tensor_there), _Mode():
        yield
