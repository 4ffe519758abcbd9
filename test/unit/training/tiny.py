"""A training run that takes seconds: a small detector, small images, small settings."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import onnx
import yaml
from onnx import TensorProto, helper, numpy_helper

from masa_core.masks import encode_mask
from masa_core.runtime.bundle import sha256
from training.sa1b import Segments, write_segments

SIDE = 64  # px of a view


def write_images(folder: Path, count: int = 4) -> Path:
    """Images of 96 x 80 px with four coloured boxes each, and their segments."""
    folder.mkdir(parents=True)
    random = np.random.RandomState(0)
    for number in range(count):
        image = random.randint(0, 60, (80, 96, 3), dtype=np.uint8)
        boxes, masks = [], []
        for corner in ((4, 4), (52, 4), (4, 44), (52, 44)):
            x, y = corner + random.randint(0, 6, 2)
            width, height = random.randint(20, 34, 2)
            image[y : y + height, x : x + width] = random.randint(60, 256, 3)
            cv2.circle(image, (int(x) + 10, int(y) + 10), 5, random.randint(0, 256, 3).tolist(), -1)
            boxes.append((x, y, x + width, y + height))
            masks.append(encode_mask(np.ones((height, width), bool), int(x), int(y)))
        cv2.imwrite(str(folder / f"{number}.png"), image)
        ids = np.arange(1, 5)
        ones = np.ones(4, np.float32)
        segments = Segments(80, 96, np.array(boxes, np.float32), ids, masks, ones, [""] * 4)
        write_segments(folder / f"{number}.json", f"{number}.png", segments)
    return folder


def write_detector(folder: Path) -> Path:
    """A folder with two convolutions as a detector, whose tensors `fine` and `coarse` are no
    outputs, and a bundle.yaml that has no embedding."""
    folder.mkdir()
    random = np.random.RandomState(1)
    weights = [
        numpy_helper.from_array(random.randn(8, 3, 4, 4).astype(np.float32) / 7, "w0"),
        numpy_helper.from_array(random.randn(8, 8, 2, 2).astype(np.float32) / 6, "w1"),
    ]
    nodes = [
        helper.make_node("Conv", ["image", "w0"], ["fine"], strides=[4, 4]),
        helper.make_node("Conv", ["fine", "w1"], ["coarse"], strides=[2, 2]),
        helper.make_node("Relu", ["coarse"], ["out"]),
    ]
    inputs = [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "h", "w"])]
    outputs = [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 8, "a", "b"])]
    graph = helper.make_graph(nodes, "tiny", inputs, outputs, weights)
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    onnx.save(model, folder / "image.onnx")
    content = {
        "format": 1,
        "name": "tiny",
        "image": {
            "graph": "image.onnx",
            "input": "image",
            "pixels": SIDE * SIDE,
            "multiple": 32,
            "mean": [100.0, 110.0, 120.0],
            "std": [60.0, 60.0, 60.0],
        },
        "files": {"image.onnx": sha256(folder / "image.onnx")},
    }
    (folder / "bundle.yaml").write_text(yaml.safe_dump(content, sort_keys=False))
    return folder


def write_config(folder: Path, **sections: dict) -> Path:
    """config.yaml of a run of 8 steps in ``folder`` / run; sections go over the defaults here."""
    content: dict = {
        "name": "tiny",
        "onnx": {
            "bundle": str(folder / "detector"),
            "taps": {"fine": 4, "coarse": 8},
            "width": 32,
            "hidden": 32,
            "embedding": 16,
            "batch_norm": "frozen",
        },
        "data": {
            "folders": {str(folder / "images"): 1},
            "images_per_epoch": 8,
            "pairs": 2,
            "workers": 0,
        },
        "views": {"size": SIDE, "jitter_scale": [0.8, 1.5]},
        "optimizer": {"kind": "sgd", "lr": 0.5},
        "schedule": {"epochs": 2, "warmup_steps": 2, "milestones": [1]},
        "run": {
            "out": str(folder / "run"),
            "device": "cpu",
            "checkpoint_every": 3,
            "log_every": 2,
            "pictures_every": 4,
        },
    }
    for name, values in sections.items():
        content[name] = {**content.get(name, {}), **values}
    write_images(folder / "images")
    write_detector(folder / "detector")
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path
