"""Detic against vectors of the official implementation (seeded weights, see recipe.py)."""

from __future__ import annotations

import copy

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torchvision.ops import box_iou  # noqa: E402

from masa_core.masks.compact import paste_mask  # noqa: E402
from masa_core.masks.placing import place_masks  # noqa: E402
from masa_core.models.boxes import decode_deltas  # noqa: E402
from masa_core.models.detic import Detic, read_class_embeddings  # noqa: E402
from masa_core.models.detic.rois import pool_boxes  # noqa: E402
from masa_core.models.detic.selection import select  # noqa: E402
from masa_core.models.preprocess import Geometry, Preprocessing  # noqa: E402

from .golden import arrays, assert_close  # noqa: E402
from .recipe import class_embeddings, detic_weights, official_shapes  # noqa: E402

pytestmark = pytest.mark.torch

PREFIX = "detector."
STDS = ((0.1, 0.1, 0.2, 0.2), (0.05, 0.05, 0.1, 0.1), (0.033, 0.033, 0.067, 0.067))


def close(actual, expected, tolerance=2e-4):
    assert_close(torch.as_tensor(actual), torch.as_tensor(expected), tolerance)


@pytest.fixture(scope="module")
def whole():
    """The detector with the weights of the recipe and 20 classes."""
    detic = Detic(20)
    shapes = {
        key: tuple(value.shape)
        for key, value in detic.state_dict(prefix=PREFIX).items()
        if value.is_floating_point()
    }
    weights = detic_weights(shapes, 20)
    missing, unexpected = detic.load_state_dict(
        {key[len(PREFIX) :]: value for key, value in weights.items()}, strict=False
    )
    assert not unexpected
    assert all(key.endswith("relative_position_index") for key in missing)
    return detic.eval()


def random_taps(v):
    """What the vectors of the heads were computed from, instead of a backbone's maps."""
    height, width = v["pad_shape"]
    taps = []
    for i, channels in enumerate((256, 512, 1024)):
        draw = np.random.RandomState(int(v["seed"]) * 10 + i)
        shape = (1, channels, height >> (3 + i), width >> (3 + i))
        taps.append(torch.from_numpy(draw.standard_normal(shape).astype(np.float32)))
    return taps


class RandomTapsGeometry(Geometry):
    """No frame was resized for the vectors of the heads: their scale is not rounded to pixels."""

    scale = (1.25, 1.25)


def geometry(v):
    kind = RandomTapsGeometry if "seed" in v else Geometry
    size = kind(*map(int, (*v["ori_shape"], *v["img_shape"], *v["pad_shape"])))
    assert np.allclose(size.scale, v["scale_factor"])
    return size


@pytest.fixture(scope="module")
def maps(whole):
    with torch.inference_mode():
        return whole.prepare(random_taps(arrays("detectors/detic_heads_voc20")))


@pytest.fixture
def heads(whole, maps):
    """Make the detector know some classes; its vectors, and its maps of the random taps."""

    def make(classes):
        name = {20: "detic_heads_voc20", 1203: "detic_heads_lvis1203"}[classes]
        whole.set_vocabulary(range(classes), class_embeddings(classes))
        return whole, arrays(f"detectors/{name}"), maps

    return make


@torch.inference_mode()
def test_neck_and_proposals(heads):
    detic, v, maps = heads(20)
    for i, level in enumerate(maps):
        assert level.shape == tuple(v[f"neck{i}_shape"])
        close(level[0, ::16], v[f"neck{i}_c16"])
    for i, (heat, distances) in enumerate(zip(*detic.rpn_head(maps), strict=True)):
        close(heat[0], v[f"rpn_cls{i}"])
        close(distances[0], v[f"rpn_reg{i}"])
    boxes, scores = detic.rpn_head.propose(maps)
    close(boxes, v["prop_boxes"])
    close(scores, v["prop_scores"])


@pytest.mark.parametrize("classes", [20, 1203])
@torch.inference_mode()
def test_cascade(heads, classes):
    detic, v, maps = heads(classes)
    size = tuple(v["img_shape"].tolist())
    boxes = torch.from_numpy(v["prop_boxes"])
    for k, head in enumerate(detic.roi_head.bbox_head):
        close(boxes, v[f"s{k}_rois"])
        rois = pool_boxes(maps, boxes, 7)
        logits, deltas = head(rois)
        if classes == 20:
            close(rois[:4, ::16], v[f"s{k}_roifeat_first4_c16"])
        expected = v[f"s{k}_logits_first16"]
        close(logits[: len(expected)], expected)
        close(deltas, v[f"s{k}_deltas"])
        boxes = decode_deltas(boxes, deltas, STDS[k], size)

    proposals = torch.from_numpy(v["prop_boxes"]), torch.from_numpy(v["prop_scores"])
    last, scores = detic.roi_head.bbox_head(maps, *proposals, size)
    assert torch.equal(last, boxes)
    close(scores.amax(1), v["final_scores_max"])
    assert (scores.argmax(1).numpy() == v["final_scores_argmax"]).all()
    assert [int((scores > t).sum()) for t in (0.02, 0.01)] == v["n_over_thr"].tolist()


@pytest.mark.parametrize("classes", [20, 1203])
@torch.inference_mode()
def test_detections_and_masks(heads, classes):
    detic, v, maps = heads(classes)
    check_detections(detic, v, maps)
    mask_rois = torch.from_numpy(v["mask_rois"][:6])
    close(detic.roi_head.mask_head(maps, mask_rois), v["mask_logits_first6"])


@torch.inference_mode()
def test_whole_detector(heads):
    detic = heads(20)[0]
    v = arrays("detectors/detic_e2e_voc20")
    long_side, short_side = (int(side) for side in v["resize_to"])
    image, size = Preprocessing(long_side, short_side)(v["frame_bgr"])
    assert size == geometry(v)
    taps = detic.backbone(image)
    for i, tap in enumerate(taps):
        close(tap[0, ::16], v[f"tap{i}_c16"])
    check_detections(detic, v, detic.prepare(taps))


def check_detections(detic, v, maps):
    size = geometry(v)
    boxes, scores, labels = detic(maps, size)
    close(boxes, v["det_boxes"])
    close(scores, v["det_scores"])
    assert labels.tolist() == v["det_labels"].tolist()

    count, height, width = v["mask_shape"]
    expected = np.unpackbits(v["mask_bits"], count=count * height * width)
    masks = detic.masks(maps, boxes, size)
    pasted = np.stack([paste_mask(mask, height, width) for mask in masks])
    assert (pasted != expected.reshape(pasted.shape).astype(bool)).mean() < 1e-4


@pytest.mark.parametrize("threshold", ["0.01", "0.05"])
@torch.inference_mode()
def test_selection_switches_to_classwise_suppression(heads, threshold):
    """Above 100 000 candidates (0.01 gives 147 541), as the released configuration does."""
    detic, _, maps = heads(1203)
    v = arrays("detectors/detic_lvis1203_thr")
    size = geometry(arrays("detectors/detic_heads_lvis1203"))
    detic = copy.copy(detic)
    detic.score_thr, detic.max_detections = float(threshold), 100
    boxes, scores, labels = detic(maps, size)
    close(boxes, v[f"t{threshold}_boxes"])
    close(scores, v[f"t{threshold}_scores"])
    assert labels.tolist() == v[f"t{threshold}_labels"].tolist()


def test_keys_are_those_of_the_official_checkpoint():
    with torch.device("meta"):
        keys = {k: tuple(v.shape) for k, v in Detic().state_dict(prefix=PREFIX).items()}
    official = official_shapes("masa_detic")
    assert keys == {k: s for k, s in official.items() if k.startswith(PREFIX)}


@torch.inference_mode()
def test_vocabulary_can_be_replaced(heads):
    detic, v, maps = heads(20)
    before = detic(maps, geometry(v))
    rows = class_embeddings(20)
    names = [f"name {i}" for i in range(20)]
    lengths = torch.linspace(0.3, 7, 20)[:, None]
    detic.set_vocabulary(names, (rows * lengths).flip(0))
    boxes, scores, labels = detic(maps, geometry(v))
    close(boxes, before[0])
    close(scores, before[1])
    assert labels.tolist() == (19 - before[2]).tolist()

    detic.set_vocabulary(["car", "dog"], rows[7:9])
    assert detic.classes == ("car", "dog")
    assert set(detic(maps, geometry(v))[2].tolist()) <= {0, 1}
    assert detic.state_dict()["roi_head.bbox_head.2.fc_cls.zs_weight"].shape == (512, 3)


def test_vocabulary_of_another_shape_is_refused(heads):
    detic = heads(20)[0]
    for names, shape in (("abc", (3, 511)), ("a" * 512, (512,)), ("", (0, 512))):
        with pytest.raises(ValueError, match="class embeddings must be of shape"):
            detic.set_vocabulary(names, torch.ones(shape))
    with pytest.raises(ValueError, match="2 class names for 3 embeddings"):
        detic.set_vocabulary("ab", torch.ones(3, 512))


@torch.inference_mode()
def test_frame_without_proposals_gives_no_detections(heads):
    detic, v, maps = heads(20)
    bias = detic.rpn_head.conv_cls.bias
    before = bias.clone()
    bias -= 100
    try:
        assert len(detic.detect(maps, geometry(v))) == 0
    finally:
        bias.copy_(before)
    assert detic.masks(maps, torch.zeros(0, 4), geometry(v)) == []


@torch.inference_mode()
def test_half_precision_finds_the_same_objects(heads):
    """Most of the best boxes of float32 are among those of bfloat16."""
    detic, v, maps = heads(20)
    expected = detic(maps, geometry(v))[0][:20]
    half = copy.deepcopy(detic).bfloat16()
    taps = [tap.bfloat16() for tap in random_taps(v)]
    boxes = half(half.prepare(taps), geometry(v))[0]
    assert boxes.dtype == torch.float32
    overlap = box_iou(boxes, expected)
    assert (overlap.amax(dim=0) > 0.8).float().mean() > 0.8


def test_a_box_keeps_its_best_class_unless_it_has_no_area():
    boxes = torch.tensor([[0.0, 0, 10, 10], [0, 1, 10, 11], [50, 50, 50, 60], [20, 20, 30, 30]])
    scores = torch.tensor([[0.2, 0.9], [0.8, 0.3], [0.5, 0.4], [0.01, 0.02]])
    kept, score, label = select(boxes, scores, score_thr=0.1, nms_iou=0.5, limit=10)
    assert kept[:, 0].tolist() == [0, 50, 50]
    assert label.tolist() == [1, 0, 1]
    assert torch.allclose(score, torch.tensor([0.9, 0.5, 0.4]))
    assert len(select(boxes, scores, 0.1, 0.5, limit=2)[0]) == 2


def test_masks_fill_their_boxes_and_stay_in_the_frame():
    solid = np.ones((3, 28, 28), np.float32)
    boxes = np.array([[10, 20, 30, 50], [-20, -20, 8, 9], [70, 5, 70, 5]], np.float32)
    inside, corner, point = place_masks(solid, boxes, height=60, width=80)
    # The mask falls from 1 to 0 over one of its cells, half of it beyond the box
    assert (inside.x, inside.y, inside.width, inside.height) == (10, 20, 20, 30)
    assert (corner.x, corner.y, corner.width, corner.height) == (0, 0, 8, 9)
    assert paste_mask(point, 60, 80).sum() <= 9


def test_reads_class_embeddings(tmp_path):
    rows = np.random.default_rng(0).normal(size=(5, 512))
    np.save(tmp_path / "names.npy", rows)
    assert torch.equal(read_class_embeddings(tmp_path / "names.npy"), torch.tensor(rows).float())


@pytest.mark.parametrize(
    "array",
    [np.zeros(512), np.zeros((3, 512), int), np.full((3, 512), np.nan), np.array([{}], object)],
)
def test_refuses_other_files_as_class_embeddings(tmp_path, array):
    np.save(tmp_path / "bad.npy", array, allow_pickle=True)
    with pytest.raises(ValueError, match=r"bad\.npy"):
        read_class_embeddings(tmp_path / "bad.npy")
