"""Losses: the official ones in values and gradients, and what a training loop relies on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from masa_core.models import roi_head, rpn  # noqa: E402
from masa_core.models.boxes import encode_deltas  # noqa: E402
from training.assign import IGNORED, RPN_RULE, assign  # noqa: E402
from training.losses.contrastive import (  # noqa: E402
    CONTRASTIVE_WEIGHT,
    contrastive_loss,
    margin_loss,
)
from training.losses.detection import L1, SMOOTH_L1, box_loss, rpn_loss  # noqa: E402
from training.losses.masks import mask_loss  # noqa: E402
from training.losses.track import mean_track_losses, track_losses  # noqa: E402
from training.sample_rois import RoiSample  # noqa: E402

GOLDEN = np.load(Path(__file__).parents[2] / "data" / "golden" / "losses.npz")
CASES = range(int(GOLDEN["num_cases"]))


def golden(case: int, name: str):
    return torch.from_numpy(np.atleast_1d(GOLDEN[f"c{case}.{name}"]))


def close(actual, expected) -> None:
    """To 1e-6 of the largest value: single precision ends there."""
    scale = max(float(expected.abs().max()), 1e-12)
    torch.testing.assert_close(actual / scale, expected / scale, rtol=0, atol=1e-6)


@pytest.mark.parametrize("case", CASES)
def test_contrastive_loss_is_the_official_one(case: int) -> None:
    logits = golden(case, "pred").requires_grad_()
    loss = CONTRASTIVE_WEIGHT * contrastive_loss(logits, golden(case, "label") > 0)
    loss.backward()
    close(loss.detach()[None], golden(case, "loss"))
    close(logits.grad, golden(case, "grad"))


@pytest.mark.parametrize("case", CASES)
def test_margin_loss_is_the_official_one(case: int) -> None:
    cosines = golden(case, "cos").requires_grad_()
    loss = margin_loss(cosines, golden(case, "label") > 0)
    loss.backward()
    close(loss.detach()[None], golden(case, "aux_loss"))
    close(cosines.grad, golden(case, "aux_grad"))


def test_embeddings_that_match_by_id_cost_least() -> None:
    corners = 6 * torch.eye(4)
    ids = torch.tensor([5, 6, 7])
    reference_ids = torch.tensor([7, 5, 6, 0])
    right = track_losses(corners[:3], corners[[2, 0, 1, 3]], ids, reference_ids)
    wrong = track_losses(corners[:3], corners, ids, reference_ids)
    assert right["loss_track"] < 1e-6 and right["loss_track_aux"] < 1e-6
    assert wrong["loss_track"] > 1 and wrong["loss_track_aux"] > 0.1


def test_background_rois_match_nothing() -> None:
    """Id 0 is no instance: two backgrounds are not the same thing."""
    embeddings = torch.ones(2, 3, requires_grad=True)
    none = torch.zeros(2, dtype=torch.int64)
    losses = track_losses(embeddings, embeddings, none, none)
    sum(losses.values()).backward()
    assert not any(losses.values())
    assert not embeddings.grad.any()


@pytest.mark.parametrize("key, reference", [(0, 3), (3, 0), (0, 0)])
def test_a_view_without_rois_costs_nothing_and_trains_on(key: int, reference: int) -> None:
    weight = torch.ones(4, requires_grad=True)
    losses = track_losses(
        weight * torch.ones(key, 4),
        weight * torch.ones(reference, 4),
        torch.arange(key) + 1,
        torch.arange(reference) + 1,
    )
    sum(losses.values()).backward()  # a graph is there, so that DDP finds every parameter
    assert weight.grad is not None and not weight.grad.any()


def test_track_losses_are_the_same_under_autocast() -> None:
    torch.manual_seed(0)
    key, reference = 20 * torch.randn(5, 64), 20 * torch.randn(9, 64)
    ids, reference_ids = torch.arange(1, 6), torch.tensor([1, 2, 3, 4, 5, 0, 0, 0, 0])
    plain = track_losses(key, reference, ids, reference_ids)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = track_losses(key, reference, ids, reference_ids)
    assert plain == mixed


def test_a_batch_is_the_mean_of_its_pairs() -> None:
    torch.manual_seed(1)
    pairs = [
        (torch.randn(3, 8), torch.randn(6, 8), torch.arange(1, 4), torch.arange(1, 7)),
        (torch.randn(2, 8), torch.randn(2, 8), torch.arange(1, 3), torch.arange(8, 10)),
    ]
    single = [track_losses(*pair) for pair in pairs]
    assert float(single[1]["loss_track"]) == 0
    batch = mean_track_losses(pairs)
    for name, loss in batch.items():
        torch.testing.assert_close(loss, (single[0][name] + single[1][name]) / 2)


STRIDES = (8, 16)
SHAPES = ((8, 8), (4, 4))


def assigned_anchors(truth):
    """Of each level: its anchors, and what `assign` says of them."""
    anchors = [
        rpn.anchors(*shape, stride, torch.device("cpu"))
        for shape, stride in zip(SHAPES, STRIDES, strict=True)
    ]
    assigned = assign(torch.cat(anchors), truth, RPN_RULE)
    return anchors, assigned.split([len(cells) for cells in anchors])


def rpn_outputs(truth, logit: float):
    """Maps of a 64 x 64 image: ``logit`` where there is an object, and the right deltas."""
    logits, deltas = [], []
    for shape, cells, rows in zip(SHAPES, *assigned_anchors(truth), strict=True):
        right = encode_deltas(cells, truth[rows.clamp(min=0)], rpn.STDS)
        deltas.append(right.view(1, *shape, 12).permute(0, 3, 1, 2))
        score = torch.where(rows >= 0, logit, -logit).float()
        logits.append(score.view(1, *shape, 3).permute(0, 3, 1, 2))
    return logits, deltas


def one_image_rpn_loss(logits, deltas, truth, seed: int = 0, size=(64, 64), **options):
    generators = [torch.Generator().manual_seed(seed) for _ in truth]
    return rpn_loss(logits, deltas, STRIDES, truth, [size] * len(truth), generators, **options)


def test_rpn_loss_of_a_perfect_answer_is_nothing() -> None:
    truth = torch.tensor([[4.0, 4, 40, 44], [20, 30, 60, 60]])
    logits, deltas = rpn_outputs(truth, logit=50)
    losses = one_image_rpn_loss(logits, deltas, [truth])
    assert losses["loss_rpn_cls"] < 1e-6 and losses["loss_rpn_box"] < 1e-6


@pytest.mark.parametrize("beta, distance", [(L1, 0.5), (SMOOTH_L1, 0.5 - 1 / 18)])
def test_rpn_loss_is_a_mean_over_sampled_anchors(beta: float, distance: float) -> None:
    """There are 240 anchors and 256 are asked for: all that are not ignored are sampled."""
    truth = torch.tensor([[4.0, 4, 40, 44]])
    logits, deltas = rpn_outputs(truth, logit=0)
    assigned = torch.cat(assigned_anchors(truth)[1])
    positive, sampled = int((assigned >= 0).sum()), int((assigned != IGNORED).sum())
    assert 0 < positive < sampled < 240
    losses = one_image_rpn_loss(logits, [level + 0.5 for level in deltas], [truth], beta=beta)
    torch.testing.assert_close(losses["loss_rpn_cls"], torch.tensor(2.0).log())
    expected = torch.tensor(4 * distance * positive / sampled)
    torch.testing.assert_close(losses["loss_rpn_box"], expected)


def test_anchors_in_the_padding_are_ignored() -> None:
    truth = torch.tensor([[0.0, 0, 30, 30]])
    logits, deltas = rpn_outputs(truth, logit=5)
    wrong = [level.clone() for level in logits]
    wrong[0][..., 4:, :] = 50  # below 32 px, sure of objects where there is only padding
    wrong[1][..., 2:, :] = 50
    plain = one_image_rpn_loss(logits, deltas, [truth], size=(32, 64))
    padded = one_image_rpn_loss(wrong, deltas, [truth], size=(32, 64))
    assert plain == padded
    assert one_image_rpn_loss(wrong, deltas, [truth])["loss_rpn_cls"] > plain["loss_rpn_cls"] + 1


def test_an_image_s_sample_does_not_depend_on_its_batch() -> None:
    torch.manual_seed(2)
    truth = [torch.tensor([[4.0, 4, 40, 44]]), torch.zeros(0, 4)]
    logits = [torch.randn(2, 3, 40, 40)]
    deltas = [torch.randn(2, 12, 40, 40)]

    def loss(images):
        generators = [torch.Generator().manual_seed(i) for i in images]
        rows = list(images)
        return rpn_loss(
            [logits[0][rows]],
            [deltas[0][rows]],
            (8,),
            [truth[i] for i in rows],
            [(320, 320)] * len(rows),
            generators,
        )

    both, first, second = loss((0, 1)), loss((0,)), loss((1,))
    for name in both:  # both images have 256 anchors sampled
        torch.testing.assert_close(both[name], (first[name] + second[name]) / 2)


def test_box_loss_divides_by_the_sampled_rois() -> None:
    truth = torch.tensor([[10.0, 10, 50, 50]])
    boxes = torch.tensor([[12.0, 10, 50, 52], [60, 60, 90, 90], [0, 70, 20, 90], [70, 0, 90, 20]])
    sample = RoiSample(boxes, torch.tensor([0]), torch.tensor([7, 0, 0, 0]))
    logits = torch.tensor([[50.0, 0], [0, 50], [0, 50], [0, 50]])
    right = encode_deltas(boxes[:1], truth, roi_head.STDS).expand(4, 4)
    losses = box_loss(logits, right, [sample], [truth])
    assert losses["loss_box_cls"] < 1e-6 and losses["loss_box_reg"] < 1e-6
    losses = box_loss(logits.flip(1), right + 1, [sample], [truth])
    torch.testing.assert_close(losses["loss_box_cls"], torch.tensor(50.0))
    torch.testing.assert_close(losses["loss_box_reg"], torch.tensor(1.0))  # 4 numbers, 4 rois


def test_mask_loss_falls_with_the_overlap() -> None:
    target = torch.zeros(2, 8, 8)
    target[:, 2:6, 1:5] = 1

    def total(logits):
        return float(sum(mask_loss(logits, target).values()))

    shifted = target.roll(1, dims=2)
    assert total(40 * target - 20) < 1e-3 < total(8 * shifted - 4) < total(4 - 8 * target)


def test_mask_loss_of_no_roi_is_zero_with_a_graph() -> None:
    weight = torch.ones(1, requires_grad=True)
    sum(mask_loss(weight * torch.zeros(0, 8, 8), torch.zeros(0, 8, 8)).values()).backward()
    assert float(weight.grad) == 0
