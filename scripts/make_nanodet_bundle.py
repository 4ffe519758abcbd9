"""Makes assets/nanodet_masa from the given NanoDet-G graph. The same files come out every time.

python scripts/make_nanodet_bundle.py nanodet_g.onnx assets/nanodet_masa
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import onnx
import yaml
from nanodet_graph import CLASSES, clean
from nanodet_instances import pooled_maps

from masa_core.runtime.bundle import FORMAT, read_bundle, sha256

GIVEN_SHA256 = "0d1dff05a869937a5013d2989e88f2767eea557775725b6136d7fdf5c57cd79d"
COCO = """
person, bicycle, car, motorcycle, airplane, bus, train, truck, boat, traffic light, fire hydrant,
stop sign, parking meter, bench, bird, cat, dog, horse, sheep, cow, elephant, bear, zebra, giraffe,
backpack, umbrella, handbag, tie, suitcase, frisbee, skis, snowboard, sports ball, kite,
baseball bat, baseball glove, skateboard, surfboard, tennis racket, bottle, wine glass, cup, fork,
knife, spoon, bowl, banana, apple, sandwich, orange, broccoli, carrot, hot dog, pizza, donut, cake,
chair, couch, potted plant, bed, dining table, toilet, tv, laptop, mouse, remote, keyboard,
cell phone, microwave, oven, toaster, sink, refrigerator, book, clock, vase, scissors, teddy bear,
hair drier, toothbrush
"""
NORM = 10.0  # of the embeddings
_LIST_TAG = "tag:yaml.org,2002:seq"
HEADER = """\
# The default model of masa_ros; MODEL_CARD.md says what it is and what it can do.
# Made by scripts/make_nanodet_bundle.py; the keys are described in masa_core/runtime/bundle.py.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("given", type=Path, help="nanodet_g.onnx")
    parser.add_argument("bundle", type=Path, help="folder to write to")
    args = parser.parse_args()
    if sha256(args.given) != GIVEN_SHA256:
        parser.error(f"{args.given} is not the NanoDet-G graph that this script was written for")

    _write(args.bundle / "image.onnx", clean(onnx.load(args.given)).SerializeToString())
    _write(args.bundle / "instances.onnx", pooled_maps(NORM).SerializeToString())
    content = yaml.dump(_description(args.bundle), Dumper=_Dumper, sort_keys=False, width=90)
    _write(args.bundle / "bundle.yaml", (HEADER + content).encode())
    read_bundle(args.bundle)


def _description(folder: Path) -> dict[str, Any]:
    classes = COCO.replace("\n", " ").strip().split(", ")
    assert len(classes) == CLASSES
    return {
        "format": FORMAT,
        "name": "nanodet_masa",
        "image": {
            "graph": "image.onnx",
            "input": "image",
            "pixels": 416 * 416,
            "multiple": 32,
            "mean": [103.53, 116.28, 123.675],
            "std": [57.375, 57.12, 58.395],
        },
        "detector": {
            "layout": "nanodet",
            "outputs": {"scores": "scores", "distances": "distances"},
            "strides": [8, 16, 32],
            "score_threshold": 0.05,
            "nms_iou": 0.6,
            "max_detections": 100,
            "classes": classes,
        },
        "embedding": {"graph": "instances.onnx"},
        "files": {name: sha256(folder / name) for name in ("image.onnx", "instances.onnx")},
        "provenance": {
            "detector": "NanoDet-G of RangiLyu/nanodet, Apache-2.0",
            "given graph": f"nanodet_g.onnx, SHA-256 {GIVEN_SHA256}",
            "embedding": "untrained",
        },
    }


class _Dumper(yaml.SafeDumper):
    """Lists on one line, as a person would write them."""


_Dumper.add_representer(
    list, lambda dumper, values: dumper.represent_sequence(_LIST_TAG, values, flow_style=True)
)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}.part")
    part.write_bytes(content)
    os.replace(part, path)


if __name__ == "__main__":
    main()
