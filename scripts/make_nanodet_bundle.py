"""Makes assets/nanodet_masa from the given NanoDet-G graph and a few videos.

python scripts/make_nanodet_bundle.py nanodet_g.onnx assets/nanodet_masa --videos A.mp4 B.mp4

Needs the onnx package. The videos give the mean and the whitening of embeddings that are untrained;
`python -m training.embedding` puts better ones in their place and `python -m training.heads` adds
masks. image.onnx comes out byte for byte the same every time, instances.onnx on the same machine.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
import onnx
import yaml
from nanodet_graph import CLASSES, clean
from nanodet_instances import embedding_graph, plain_graph, statistics
from numpy.typing import NDArray

from masa_core.io.atomic import whole_file
from masa_core.runtime.bundle import FORMAT, sha256
from masa_core.runtime.ort import OrtModel

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
NORM = 5.0  # of the embeddings; MODEL_CARD.md says what it was chosen by
EVERY = 5  # frames of a video that are looked at
BACKGROUND_BOXES = 10  # of random place and shape, in each of these frames, beside the detections
_LIST_TAG = "tag:yaml.org,2002:seq"
HEADER = """\
# The default model of masa_ros; MODEL_CARD.md says what it is and what it can do.
# The keys are described in masa_core/runtime/bundle_spec.py.
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("given", type=Path, help="nanodet_g.onnx")
    parser.add_argument("bundle", type=Path, help="folder to write to")
    parser.add_argument("--videos", type=Path, nargs="+", required=True)
    args = parser.parse_args()
    if sha256(args.given) != GIVEN_SHA256:
        parser.error(f"{args.given} is not the NanoDet-G graph that this script was written for")

    image = clean(onnx.load(args.given))
    with TemporaryDirectory() as folder:
        _write(Path(folder), image, plain_graph())
        plain = np.concatenate(list(_plain_embeddings(OrtModel(Path(folder)), args.videos)))
    _write(args.bundle, image, embedding_graph(*statistics(plain), NORM))
    print(f"{args.bundle}: made, with the statistics of {len(plain)} boxes")


def _plain_embeddings(model: OrtModel, videos: list[Path]) -> Iterator[NDArray[np.float32]]:
    random = np.random.default_rng(0)
    for video in videos:
        capture = cv2.VideoCapture(str(video))
        for at in range(int(capture.get(cv2.CAP_PROP_FRAME_COUNT))):
            found, frame = capture.read()
            if found and at % EVERY == 0:
                features = model.encode(frame)
                detected = model.detect(features).boxes
                size = np.array([features.width, features.height])
                sides = np.exp(random.uniform(*np.log([24, 200]), (BACKGROUND_BOXES, 2)))
                centres = random.uniform(0, size, (BACKGROUND_BOXES, 2))
                boxes = np.concatenate((centres - sides / 2, centres + sides / 2), axis=1)
                boxes = boxes.clip(0, np.tile(size, 2)).astype(np.float32)
                yield model.embed(features, np.concatenate((detected, boxes)))


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
            "score_threshold": 0.1,
            "nms_iou": 0.6,
            "max_detections": 100,
            "classes": classes,
        },
        "embedding": {"graph": "instances.onnx"},
        "files": {name: sha256(folder / name) for name in ("image.onnx", "instances.onnx")},
        "provenance": {
            "detector": "NanoDet-G of RangiLyu/nanodet, Apache-2.0",
            "given graph": f"nanodet_g.onnx, SHA-256 {GIVEN_SHA256}",
            "embedding": "untrained: RoIAlign on an early map, whitened",
        },
    }


class _Dumper(yaml.SafeDumper):
    """Lists on one line, as a person would write them."""


_Dumper.add_representer(
    list, lambda dumper, values: dumper.represent_sequence(_LIST_TAG, values, flow_style=True)
)


def _write(folder: Path, image: onnx.ModelProto, instances: onnx.ModelProto) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    _replace(folder / "image.onnx", image.SerializeToString())
    _replace(folder / "instances.onnx", instances.SerializeToString())
    content = yaml.dump(_description(folder), Dumper=_Dumper, sort_keys=False, width=90)
    _replace(folder / "bundle.yaml", (HEADER + content).encode())


def _replace(path: Path, content: bytes) -> None:
    with whole_file(path) as part:
        part.write_bytes(content)


if __name__ == "__main__":
    main()
