"""Segment and track anything, on a small model."""

from __future__ import annotations

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("segment_anything")

from masa_core.models.everything import segment_everything, track_everything  # noqa: E402
from masa_core.models.sam_masks import SamMasks  # noqa: E402
from masa_core.pipeline import MasaPipeline  # noqa: E402
from masa_core.runtime.protocol import Model  # noqa: E402
from masa_core.tracking import Tracker, TrackerConfig  # noqa: E402

from .small import small_masa, small_masa_sam, small_sam  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture
def tracker():
    return Tracker(TrackerConfig.preset("masa_tao", init_score_thr=0.1, obj_score_thr=0.01))


def frame():
    return np.random.default_rng(0).integers(0, 256, (90, 160, 3), dtype=np.uint8)


def assert_within_reach(masks, boxes):
    """Masks reach out of their boxes by a tenth of a side at most, and not out of the frame."""
    assert len(masks) == len(boxes) > 0
    assert any(mask.width for mask in masks)
    for mask, box in zip(masks, boxes, strict=True):
        if mask.width:
            low = np.array([mask.x, mask.y])
            high = low + np.array([mask.width, mask.height])
            reach = 0.1 * (box[2:] - box[:2])
            assert (low >= np.maximum(box[:2] - reach - 1, 0)).all()
            assert (high <= np.minimum(box[2:] + reach + 1, [160, 90])).all()


def test_everything_is_tracked_with_masks(tracker):
    pipeline = MasaPipeline(track_everything(small_masa_sam()), tracker)
    first = pipeline.step(frame(), 0)
    second = pipeline.step(frame(), 33_000_000)
    assert sorted(first.ids) == sorted(second.ids)
    assert_within_reach(first.masks, first.boxes)


def test_one_frame_can_be_segmented_without_tracking():
    found = segment_everything(small_masa_sam(), frame())
    assert 50 < len(found) <= 300  # more than the distilled head gives otherwise
    assert_within_reach(found.masks, found.boxes)


def test_sam_alone_masks_what_another_model_tracks(tracker):
    masks = SamMasks("sam", small_sam())
    assert isinstance(masks, Model)
    tracks = MasaPipeline(small_masa(), tracker, masks=masks).step(frame(), 0)
    assert_within_reach(tracks.masks, tracks.boxes)
    assert masks.masks(masks.encode(frame()), np.zeros((0, 4), np.float32)) == []
    with pytest.raises(ValueError, match="no embeddings"):
        masks.embed(masks.encode(frame()), tracks.boxes)
