"""Masks of boxes beyond, across and within frames of odd sizes, and of none."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("segment_anything")
pytest.importorskip("transformers")

from masa_core.masks import paste_mask  # noqa: E402
from masa_core.models.sam_masks import SamMasks  # noqa: E402
from masa_core.pipeline import MasaPipeline  # noqa: E402
from masa_core.structures import Detections  # noqa: E402
from masa_core.tracking import Tracker, TrackerConfig  # noqa: E402

from .small import small_masa, small_masa_sam, small_sam  # noqa: E402
from .test_masa_detectors import assemble, small_detic  # noqa: E402

pytestmark = pytest.mark.torch

BOXES = np.array(
    [
        [-50, -50, -10, -10],
        [500, 500, 600, 600],
        [0, 0, 0, 0],
        [5, 5, 5, 9],
        [10, 10, 2, 2],
        [0, 0, 1, 1],
        [2.2, 3.1, 2.9, 3.8],
        [-20, 10, 30, 40],
        [-3, -3, 1e9, 4],
        [-1e9, -1e9, 1e9, 1e9],
    ],
    np.float32,
)


def sam_alone():
    return SamMasks("sam", small_sam())


def detic():
    torch.manual_seed(0)
    return assemble(small_detic())


def noise(height, width):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


@pytest.mark.parametrize("size", [(1, 1), (1, 300), (300, 1), (71, 133), (129, 127)])
@pytest.mark.parametrize("make", [small_masa_sam, sam_alone, detic])
def test_every_box_has_a_mask_within_the_frame(make, size):
    model = make()
    features = model.encode(noise(*size))
    masks = model.masks(features, BOXES)
    assert len(masks) == len(BOXES) and model.masks(features, BOXES[:0]) == []
    for mask, box in zip(masks, BOXES, strict=True):
        assert 0 <= mask.x <= mask.x + mask.width <= size[1]
        assert 0 <= mask.y <= mask.y + mask.height <= size[0]
        reach = 0.1 * np.abs(box[2:] - box[:2]).max() + 2
        y, x = np.nonzero(paste_mask(mask, *size))
        assert ((x >= box[0] - reach) & (x <= max(box[0], box[2]) + reach)).all()
        assert ((y >= box[1] - reach) & (y <= max(box[1], box[3]) + reach)).all()


def test_tracks_of_given_boxes_are_cut_out_by_another_model():
    config = TrackerConfig.preset("masa_tao", init_score_thr=0.1, obj_score_thr=0.1)
    pipeline = MasaPipeline(small_masa(), Tracker(config), masks=sam_alone())
    some = Detections(BOXES[-4:-2], [0.9, 0.8], [0, 0])
    for number, detections in enumerate([Detections.empty(), some, Detections.empty(), some]):
        tracks = pipeline.step(noise(71, 133), number * 10**8, detections)
        assert len(tracks.masks) == len(tracks) == len(detections)
