"""Masks and proposals distilled from segments: what is learned, and the graphs that come of it."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("torchvision")
pytest.importorskip("onnxscript")
pytest.importorskip("pycocotools")

from masa_core.assets import asset_path  # noqa: E402
from masa_core.masks import encode_mask, paste_mask  # noqa: E402
from masa_core.masks.placing import place_masks  # noqa: E402
from masa_core.runtime import load_model  # noqa: E402
from masa_core.structures import Detections  # noqa: E402
from training.heads import __main__ as command  # noqa: E402
from training.heads import draw, evaluate  # noqa: E402
from training.heads.bundle_file import describe_heads  # noqa: E402
from training.heads.export import export_masks, export_proposals  # noqa: E402
from training.heads.mask_head import CUT, SIZE, MaskHead, contrast  # noqa: E402
from training.heads.mask_training import mask_targets, train_masks  # noqa: E402
from training.heads.pool import TAPS, make_pool, open_pool  # noqa: E402
from training.heads.proposal_head import ProposalHead, cells  # noqa: E402
from training.heads.proposal_training import assign_cells, proposal_loss, train_proposals  # noqa: E402
from training.sa1b import Segments, write_segments  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A bright L on a dark ground, and its segment."""
    pixels = np.zeros((240, 320), bool)
    pixels[60:180, 90:140] = pixels[140:180, 90:230] = True
    path = tmp_path / "shape.jpg"
    cv2.imwrite(str(path), np.where(pixels, 230, 20).astype(np.uint8)[..., None].repeat(3, axis=2))
    write_segments(path.with_suffix(".json"), path.name, _segments([pixels]))
    return path


def _segments(masks: list[np.ndarray]) -> Segments:
    compact = [encode_mask(pixels) for pixels in masks]
    boxes = np.array([[m.x, m.y, m.x + m.width, m.y + m.height] for m in compact], np.float32)
    count = len(masks)
    height, width = masks[0].shape
    scores, ids = np.ones(count, np.float32), np.arange(1, count + 1)
    return Segments(height, width, boxes, ids, compact, scores, [""] * count)


@pytest.mark.parametrize("seed", range(6))
def test_a_segment_stays_on_what_it_shows_however_the_view_is_cut(image: Path, seed: int) -> None:
    view = draw.draw_view([image], 0, np.random.RandomState(seed))
    bright = view.image.min(axis=2) > 0.6 * view.image.max()
    assert len(view.boxes)
    for box, grid in zip(view.boxes, view.masks, strict=True):
        margin = np.tile(draw.MARGIN * (box[2:] - box[:2]), 2) * [-1, -1, 1, 1]
        (mask,) = place_masks(grid[None] / np.float32(255), (box + margin)[None], *bright.shape)
        ours = paste_mask(mask, *bright.shape)
        x1, y1, x2, y2 = box.round().astype(int)
        around = np.zeros_like(bright)
        around[y1:y2, x1:x2] = bright[y1:y2, x1:x2]
        assert (ours & around).sum() / (ours | around).sum() > 0.85


def test_targets_are_the_part_of_the_segment_in_the_box_that_is_looked_at() -> None:
    size = draw.GRID * 10
    place = (np.arange(draw.GRID) + 0.5) / draw.GRID * (1 + 2 * draw.MARGIN) - draw.MARGIN
    left_half = ((place > 0) & (place < 0.5))[None] & ((place > 0) & (place < 1))[:, None]
    masks = torch.from_numpy(left_half.astype(np.uint8) * 255)[None]
    box = torch.tensor([[100.0, 100.0, 100.0 + size, 100.0 + size]])

    own = mask_targets(masks, box, box)[0]
    assert own[:, : SIZE // 2 - 1].min() > 0.9 or own[1:-1, 1 : SIZE // 2 - 1].min() > 0.99
    assert own[:, SIZE // 2 + 1 :].max() < 0.01

    shifted = mask_targets(masks, box, box - torch.tensor([size / 4, 0, size / 4, 0]))[0]
    assert shifted[1:-1, : SIZE // 4 - 1].max() < 0.01  # beside the segment
    assert shifted[1:-1, SIZE // 4 + 1 : 3 * SIZE // 4 - 1].min() > 0.99


def test_colours_of_the_box_stand_out_from_those_of_its_border() -> None:
    inside = torch.zeros(1, 1, 18, 18)
    inside[:, :, 4:14, 2:16] = 1
    words = torch.cat((inside, 1 - inside, torch.zeros_like(inside)), dim=1)  # two colours of three
    of_box, of_middle = contrast(words)[0]
    for found in (of_box, of_middle):
        assert found[inside[0, 0] > 0].min() > 1 and found[inside[0, 0] == 0].max() < -0.5


def test_a_cell_finds_the_smallest_segment_that_suits_its_stride() -> None:
    middles, strides = cells(52, 52)
    boxes = torch.tensor([[96.0, 96.0, 136.0, 136.0], [90.0, 90.0, 142.0, 142.0], [0, 0, 400, 400]])
    found = assign_cells(middles, strides, boxes)
    assert set(found[strides == 8].tolist()) == {-1, 0}
    assert set(found[strides == 64].tolist()) == {-1, 2}
    assert (found[strides == 16] == -1).all()
    near = middles[(found == 0)] - 116
    assert len(near) and near.abs().max() < 1.5 * 8


def test_the_loss_of_proposals_is_least_where_boxes_and_scores_are_right() -> None:
    middles, strides = cells(52, 52)
    boxes, weights = torch.tensor([[96.0, 90.0, 136.0, 142.0]]), torch.ones(1)
    found = assign_cells(middles, strides, boxes) == 0
    sides = torch.cat((middles - boxes[0, :2], boxes[0, 2:] - middles), dim=1)
    logits = torch.where(found, 9.0, -9.0)
    right = proposal_loss(logits, sides, boxes, weights)
    assert right < 0.01
    assert proposal_loss(logits, sides + 8, boxes, weights) > right + 0.1
    assert proposal_loss(-logits, sides, boxes, weights) > right + 0.1
    assert proposal_loss(logits, sides, torch.zeros(0, 4), torch.zeros(0)).isfinite()


@pytest.mark.slow
def test_training_from_images_to_a_bundle_that_gives_masks_and_objects(
    image: Path, tmp_path: Path
) -> None:
    pools = []
    for name, laid_on in (("views", []), ("composites", draw.drawn_segments([image]))):
        make_pool([image] * 3, asset_path("nanodet_masa"), tmp_path / name, 0, laid_on)
        pools.append(open_pool(tmp_path / name))
    pool = pools[0]
    assert len(pool) == 3 and pools[1].first[-1] > pool.first[-1]
    masks, again = (train_masks(pools, steps=2, seed=1) for _ in range(2))
    for ours, theirs in zip(masks.parameters(), again.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    proposals = train_proposals(pool, steps=2, seed=1)

    folder = tmp_path / "bundle"
    shutil.copytree(asset_path("nanodet_masa"), folder)
    _without_heads(folder)
    before = (folder / "bundle.yaml").read_text().splitlines()
    export_masks(masks, folder / "masks.onnx")
    export_proposals(proposals, folder / "proposals.onnx")
    for _ in range(2):  # a second time nothing comes twice
        describe_heads(folder)
    after = (folder / "bundle.yaml").read_text().splitlines()
    assert [line for line in after if line in before] == before  # comments too
    assert len(after) - len(before) == 6  # two sections of two lines, two files

    model = load_model(folder)
    features = model.encode(cv2.imread(str(image)))
    (mask,) = model.masks(features, np.array([[90, 60, 230, 180]], np.float32))
    assert mask.x >= 88 and mask.x + mask.width <= 232
    found = model.detect_objects(features)
    assert len(found) and (found.boxes[:, 2:] <= [320, 240]).all()


def _without_heads(bundle: Path) -> None:
    path = bundle / "bundle.yaml"
    path.write_text(
        re.sub(
            r"(?m)^(masks|proposals):\n.*\n|^.*(masks|proposals)\.onnx.*\n", "", path.read_text()
        )
    )


@pytest.mark.slow
def test_the_graph_of_masks_gives_what_the_module_gives(tmp_path: Path) -> None:
    torch.manual_seed(0)
    head = MaskHead().eval()
    export_masks(head, tmp_path / "masks.onnx")
    assert (tmp_path / "masks.onnx").stat().st_size < 1_000_000
    session = onnxruntime.InferenceSession(tmp_path / "masks.onnx")
    for rows, columns, count in ((11, 15, 20), (6, 9, 1)):
        boxes = torch.rand(count, 4) * 60
        boxes[:, 2:] += boxes[:, :2] + 20
        maps = {
            name: torch.randn(1, channels, rows * 32 // stride, columns * 32 // stride)
            for name, (channels, stride) in TAPS.items()
        }
        feeds = {name: value.numpy() for name, value in maps.items()}
        (masks,) = session.run(None, {"boxes": boxes.numpy(), **feeds})
        with torch.no_grad():
            logits = head(boxes, torch.zeros(count), maps).numpy()
        assert masks.shape == (count, SIZE, SIZE)
        odds = np.exp(logits) * (1 - CUT) / CUT
        np.testing.assert_allclose(masks, odds / (1 + odds), atol=5e-3)  # fp16 weights


@pytest.mark.slow
def test_the_graph_of_proposals_stays_inside_of_the_frame(tmp_path: Path) -> None:
    torch.manual_seed(0)
    export_proposals(ProposalHead(), tmp_path / "proposals.onnx")
    assert (tmp_path / "proposals.onnx").stat().st_size < 1_000_000
    session = onnxruntime.InferenceSession(tmp_path / "proposals.onnx")
    feeds = {
        f"stride{s}": np.random.RandomState(s).randn(1, 128, 352 // s, 480 // s).astype(np.float32)
        for s in (8, 16, 32)
    }
    boxes, scores = session.run(None, {"size": np.array([352, 460], np.float32), **feeds})
    assert 1 <= len(boxes) <= 100 and boxes.shape == (len(scores), 4)
    assert boxes.min() >= 0 and boxes[:, 2].max() <= 460 and boxes[:, 3].max() <= 352
    assert (np.diff(scores) <= 0).all()


def test_evaluation_counts_what_overlaps(image: Path) -> None:
    yy, xx = np.mgrid[:240, :320]
    round_one = ((xx - 160) / 80) ** 2 + ((yy - 120) / 50) ** 2 <= 1
    truth = [_segments([round_one])]
    overlaps, areas = evaluate.mask_overlaps(evaluate.ellipses, [image], truth)
    assert overlaps[0] > 0.97 and areas[0] == round_one.sum()
    overlaps, _ = evaluate.mask_overlaps(evaluate.filled_boxes, [image], truth)
    assert overlaps[0] == pytest.approx(np.pi / 4, abs=0.02)

    boxes = truth[0].boxes
    perfect = [Detections(boxes, np.ones(1, np.float32), np.zeros(1, np.int64))]
    assert evaluate.average_recall(perfect, truth)[0] == 1
    half = boxes.copy()
    half[0, 2] = (boxes[0, 0] + boxes[0, 2]) / 2
    worse = [Detections(half, np.ones(1, np.float32), np.zeros(1, np.int64))]
    assert evaluate.average_recall(worse, truth)[0] <= 0.1


def test_images_of_all_kinds_and_folders_are_used(image: Path) -> None:
    nested = image.parent / "nested"
    nested.mkdir()
    cv2.imwrite(str(nested / "b.PNG"), np.zeros((9, 9, 3), np.uint8))
    shutil.copy(image.with_suffix(".json"), nested / "b.json")
    cv2.imwrite(str(nested / "alone.png"), np.zeros((9, 9, 3), np.uint8))
    assert command._images([f"{image.parent}:2"], "") == 2 * [image, nested / "b.PNG"]
    assert command._images([f"{image.parent}:1"], "sh*") == [nested / "b.PNG"]
    with pytest.raises(ValueError, match="nowhere is no folder"):
        command._images(["nowhere:3"], "")


def test_the_command_tells_of_a_mistake_in_one_sentence(image: Path, monkeypatch) -> None:
    arguments = [str(image.parent), "--bundle", "nowhere", "--out", str(image.parent / "out")]
    monkeypatch.setattr("sys.argv", ["heads", *arguments])
    with pytest.raises(SystemExit, match=r"training\.heads: nowhere.*is it a bundle"):
        command.main()
    image.with_suffix(".json").write_text("{")
    arguments[2] = str(asset_path("nanodet_masa"))
    monkeypatch.setattr("sys.argv", ["heads", *arguments])
    with pytest.raises(SystemExit, match=r"training\.heads: .*shape\.json is not SA-1B's JSON"):
        command.main()
