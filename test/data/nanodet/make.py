"""Makes given_graph.npz: what the given NanoDet-G graph answers to a small picture.

    python test/data/nanodet/make.py nanodet_g.onnx assets/drive/solidWhiteRight.mp4

The picture is the first frame of the drive (MIT, Udacity; see assets/drive) at 208x208, every
pixel doubled, so that the input is the same to the bit everywhere. Of its 3549 cells, those that
score above 0.05 are kept, and every 20th: `scores` and `distances` of `cells`.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cv2
import numpy as np
import onnxruntime


def main(graph: str, video: str) -> None:
    found, frame = cv2.VideoCapture(video).read()
    assert found, video
    picture = cv2.resize(frame, (208, 208), interpolation=cv2.INTER_AREA)
    image = picture.repeat(2, axis=0).repeat(2, axis=1).astype(np.float32)
    image = (image - [103.53, 116.28, 123.675]) / [57.375, 57.12, 58.395]
    feed = {"input_1": image.astype(np.float32).transpose(2, 0, 1)[None]}
    outputs = onnxruntime.InferenceSession(graph).run(
        ["Identity", "Identity_1", "Identity_2", "Identity_3", "Identity_4", "Identity_5"], feed
    )
    scores, distances = (np.concatenate(part, axis=1)[0] for part in (outputs[:3], outputs[3:]))
    cells = np.flatnonzero((scores.max(axis=1) > 0.05) | (np.arange(len(scores)) % 20 == 0))
    np.savez_compressed(
        Path(__file__).with_name("given_graph.npz"),
        picture=picture,
        cells=cells.astype(np.int16),
        scores=scores[cells],
        distances=distances[cells],
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
