"""The seeded weights behind test/data/golden/detectors (its README has the rules)."""

from __future__ import annotations

from collections.abc import Mapping
from zlib import crc32

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from .golden import FOLDER


def official_shapes(model: str) -> dict[str, tuple[int, ...]]:
    """Keys and shapes of an official checkpoint: "masa_detic", "masa_gdino", ..."""
    shapes = {}
    for line in (FOLDER / "keys" / f"{model}.tsv").read_text().splitlines():
        key, shape, _ = line.split("\t")
        shapes[key] = () if shape == "scalar" else tuple(map(int, shape.split("x")))
    return shapes


def detic_weights(shapes: Mapping[str, tuple[int, ...]], classes: int) -> dict[str, Tensor]:
    return {
        key: torch.from_numpy(np.asarray(_detic(key, shape, classes)))
        for key, shape in shapes.items()
    }


def class_embeddings(classes: int) -> Tensor:
    """(classes, 512), one row a class: Detic's three classifiers hold the same."""
    columns = _normal("detector.roi_head.bbox_head.0.fc_cls.zs_weight", (512, classes)) + 0.22
    columns /= np.linalg.norm(columns, axis=0)
    return torch.from_numpy(columns.T)


def gdino_weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    return {key: torch.from_numpy(np.asarray(_gdino(key, shape))) for key, shape in shapes.items()}


def mobile_sam_weights(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, Tensor]:
    return {
        key: torch.from_numpy(np.asarray(_mobile_sam(key, shape))) for key, shape in shapes.items()
    }


def _mobile_sam(key: str, shape: tuple[int, ...]) -> NDArray:
    a = _normal(key, shape)
    if key.endswith("running_var"):
        return 1 + np.float32(0.1) * np.abs(a)
    return a if key.endswith("attention_biases") else _default(key, a)


def _detic(key: str, shape: tuple[int, ...], classes: int) -> NDArray:
    if key.endswith("zs_weight"):
        return np.pad(class_embeddings(classes).numpy().T, ((0, 0), (0, 1)))
    a = _normal(key, shape)
    if key.endswith(".scale"):
        return 1 + np.float32(0.1) * a
    if key.endswith("rpn_head.conv_reg.bias"):
        return 2 + np.float32(0.05) * a
    if key.endswith("rpn_head.conv_cls.bias"):
        return -2 + np.float32(0.05) * a
    if key.endswith("rpn_head.conv_cls.weight"):
        return 2 * a / np.float32(_fan(shape) ** 0.5)
    if key.endswith("fc_cls.linear.bias"):
        return -1 + np.float32(0.05) * a
    return _default(key, a)


def _gdino(key: str, shape: tuple[int, ...]) -> NDArray:
    a = _normal(key, shape)
    if key.endswith("decoder.norm.weight"):
        return np.float32(0.1) * (1 + np.float32(0.1) * a)
    if "reg_branches" in key and key.endswith(".4.weight"):
        return np.float32(0.5 / 256**0.5) * a
    if key.endswith(("gamma_v", "gamma_l")):
        return np.float32(0.3) * a
    embedding = "query_embedding" in key or "embeddings." in key
    if key.endswith("level_embed") or (embedding and len(shape) == 2):
        return np.float32(0.5) * a
    return _default(key, a)


def _default(key: str, a: NDArray) -> NDArray:
    if a.ndim < 2:
        return 1 + np.float32(0.1) * a if key.endswith("weight") else np.float32(0.05) * a
    if key.endswith("relative_position_bias_table"):
        return np.float32(0.05) * a
    return a / np.float32(_fan(a.shape) ** 0.5)


def _fan(shape: tuple[int, ...]) -> int:
    return int(np.prod(shape[1:]))


def _normal(key: str, shape: tuple[int, ...]) -> NDArray:
    draw = np.random.RandomState(crc32(key.encode())).standard_normal(int(np.prod(shape)))
    return draw.astype(np.float32).reshape(shape)
