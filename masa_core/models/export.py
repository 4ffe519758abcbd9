"""From a torch model to a bundle, which ONNX Runtime runs without torch."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

import yaml

from masa_core.models.masa import Masa
from masa_core.models.onnx_graphs import OPSET, write_graphs
from masa_core.models.preprocess import MEAN_RGB, STD_RGB
from masa_core.models.roi_head import MIN_SCORE
from masa_core.runtime.bundle import FORMAT, sha256
from masa_core.runtime.protocol import ModelError


def export(model: Masa, folder: Path, frame: tuple[int, int]) -> None:
    """Write a bundle: backbone, adapter, distilled detection head and track head.

    frame: height and width of the camera's frames, px. The graphs have the input size that such
    a frame needs; frames of another shape are fitted into it. A checkpoint's own detector (of
    Grounding DINO and Detic) and SAM's masks are not part of a bundle.

    The model must be on the CPU, in float32. Raises ModelError when the folder holds something.
    """
    if folder.exists() and any(folder.iterdir()):
        raise ModelError(f"{folder} is not empty: name a new folder for the bundle")
    geometry = model.preprocessing.geometry(*frame)
    height, width = geometry.padded_height, geometry.padded_width
    folder.parent.mkdir(parents=True, exist_ok=True)
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
    try:
        files = write_graphs(model, height, width, part)
        content = _bundle(model, (height, width), {name: sha256(part / name) for name in files})
        text = yaml.safe_dump(content, sort_keys=False, default_flow_style=None)
        (part / "bundle.yaml").write_text(text, encoding="utf-8")
        part.chmod(0o755)  # a temporary folder is its maker's alone
        if folder.exists():
            folder.rmdir()
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _bundle(model: Masa, size: tuple[int, int], files: dict[str, str]) -> dict[str, Any]:
    return {
        "format": FORMAT,
        "name": model.name,
        "image": {
            "graph": "image.onnx",
            "input": "image",
            "size": list(size),
            "long_side": model.preprocessing.long_side,
            "short_side": model.preprocessing.short_side,
            "channels": "rgb",
            "mean": list(MEAN_RGB),
            "std": list(STD_RGB),
        },
        "detector": {
            "layout": "boxes",
            "outputs": {"boxes": "boxes", "scores": "scores"},
            "score_threshold": MIN_SCORE,
            "nms_iou": 1.0,  # the graph has removed duplicates
            "max_detections": model.max_detections,
            "classes": ["object"],
        },
        "embedding": {"graph": "instances.onnx"},
        "files": files,
        "provenance": {"made by": f"masa export of {model.name}, ONNX opset {OPSET}"},
    }
