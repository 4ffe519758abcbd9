"""Assignment of candidates to ground truth, and the samples that are drawn of them."""

from __future__ import annotations

import pytest

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from torchvision.ops import box_iou  # noqa: E402

from training.assign import (  # noqa: E402
    BOX_RULE,
    IGNORED,
    NEGATIVE,
    RPN_RULE,
    TRACK_RULE,
    Rule,
    assign,
)
from training.sample_rois import (  # noqa: E402
    choose_balanced,
    sample_anchors,
    sample_box_rois,
    sample_track_rois,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def random_boxes(count: int, seed: int, low: float = 5, high: float = 60) -> torch.Tensor:
    numbers = torch.rand(count, 4, generator=generator(seed))
    corner = numbers[:, :2] * 100
    return torch.cat((corner, corner + low + numbers[:, 2:] * (high - low)), dim=1)


def near(boxes: torch.Tensor, times: int, shift: float, seed: int = 9) -> torch.Tensor:
    """Copies of boxes, each moved a little."""
    copies = boxes.repeat_interleave(times, 0)
    return copies + shift * (torch.rand(len(copies), 4, generator=generator(seed)) - 0.5)


def assigned_one_by_one(candidates, truth, rule: Rule) -> list[int]:
    """The rule in words: for each candidate by itself."""
    iou = box_iou(truth, candidates)
    result = []
    for column in range(len(candidates)):
        best = float(iou[:, column].max())
        row = int(iou[:, column].argmax())
        if best >= rule.positive:
            result.append(row)
        else:
            result.append(NEGATIVE if best < rule.negative else IGNORED)
        if rule.low_quality is not None:
            for i in range(len(truth)):
                if rule.low_quality <= iou[i].max() == iou[i, column]:
                    result[-1] = i
    return result


@pytest.mark.parametrize("rule", [RPN_RULE, BOX_RULE, TRACK_RULE])
@pytest.mark.parametrize("seed", [0, 1])
def test_assignment_follows_the_rule(rule: Rule, seed: int) -> None:
    truth = random_boxes(90, seed)  # more than are compared at once
    candidates = torch.cat((random_boxes(200, seed + 10), near(truth, 2, 12)))
    assigned = assign(candidates, truth, rule)
    assert assigned.tolist() == assigned_one_by_one(candidates, truth, rule)
    assert {NEGATIVE, 0} <= set(assigned.clamp(max=0).tolist())


def test_only_the_rpn_rescues_what_no_anchor_fits() -> None:
    truth = torch.tensor([[0.0, 0, 10, 40]])
    candidates = torch.tensor([[0.0, 0, 10, 20], [0, 20, 10, 40], [0, 0, 10, 12]])
    assert assign(candidates, truth, RPN_RULE).tolist() == [0, 0, IGNORED]
    assert assign(candidates, truth, TRACK_RULE).tolist() == [IGNORED] * 3
    far = torch.tensor([[0.0, 0, 10, 11]])  # IoU 0.275
    assert assign(far, truth, RPN_RULE).tolist() == [NEGATIVE]


def test_without_truth_all_is_background_and_no_candidates_are_none() -> None:
    assert assign(random_boxes(3, 0), torch.zeros(0, 4), RPN_RULE).tolist() == [NEGATIVE] * 3
    assert assign(torch.zeros(0, 4), random_boxes(3, 0), RPN_RULE).shape == (0,)


def test_anchors_are_sampled_half_and_half_at_most() -> None:
    assigned = torch.cat((torch.zeros(400), torch.full((600,), NEGATIVE), torch.full((9,), -2.0)))
    positive, negative = sample_anchors(assigned.long(), generator())
    assert (len(positive), len(negative)) == (128, 128)
    assert (assigned[positive] == 0).all() and (assigned[negative] == NEGATIVE).all()
    positive, negative = sample_anchors(assigned[390:].long(), generator())
    assert (len(positive), len(negative)) == (10, 246)


def test_a_seed_decides_the_sample() -> None:
    assigned = torch.full((5000,), NEGATIVE)
    once, again, other = (sample_anchors(assigned, generator(seed))[1] for seed in (1, 1, 2))
    assert once.equal(again) and not once.equal(other)
    assert len(once.unique()) == 256


@pytest.mark.parametrize("sample_rois", [sample_box_rois, sample_track_rois])
def test_samples_carry_ids_and_rows_of_the_truth(sample_rois) -> None:
    truth, ids = random_boxes(6, 3, low=20), torch.arange(6) * 10 + 7
    proposals = torch.cat((near(truth, 30, 4), random_boxes(300, 5)))
    sample = sample_rois(truth, ids, proposals, generator())
    count = len(sample.truth_rows)
    assert 0 < count < len(sample.boxes)
    assert sample.ids[:count].equal(ids[sample.truth_rows])
    assert not sample.ids[count:].any()
    iou = box_iou(truth, sample.boxes)
    limit = BOX_RULE if sample_rois is sample_box_rois else TRACK_RULE
    assert (iou[sample.truth_rows, torch.arange(count)] >= limit.positive).all()
    assert (iou[:, count:] < limit.negative).all()


def test_box_rois_are_a_quarter_positive() -> None:
    truth = random_boxes(4, 3, low=20)
    proposals = torch.cat((near(truth, 100, 3), random_boxes(2000, 5)))
    sample = sample_box_rois(truth, torch.arange(4) + 1, proposals, generator())
    assert len(sample.boxes) == 512 and len(sample.truth_rows) == 128


def test_a_crowded_instance_does_not_crowd_out_the_others() -> None:
    crowd = [0] * 900 + [1] * 60 + [2] * 30 + [3] * 3
    assigned = torch.tensor(crowd + [NEGATIVE] * 50)
    for seed in range(10):
        rows = choose_balanced(assigned, 100, generator(seed))
        assert len(rows) == len(rows.unique()) == 100
        counts = torch.bincount(assigned[rows], minlength=4)
        assert (counts[:3] >= 26).all() and counts[3] == 3  # a quota of 26 each, then any
    many = torch.arange(80).repeat_interleave(5)  # a quota of 2 each is 160: too many
    assert len(choose_balanced(many, 100, generator())) == 100


def test_track_rois_keep_the_published_proportions() -> None:
    truth = random_boxes(3, 3, low=20)
    few = sample_track_rois(truth, torch.arange(3) + 1, random_boxes(3000, 5), generator())
    positives = len(few.truth_rows)
    assert len(few.boxes) == 4 * positives  # three negatives for each
    crowd = torch.cat((near(truth, 400, 2), random_boxes(3000, 5)))
    full = sample_track_rois(truth, torch.arange(3) + 1, crowd, generator())
    assert (len(full.truth_rows), len(full.boxes)) == (256, 512)


def test_every_instance_is_learned_even_without_proposals() -> None:
    """Two segments may have one box: each keeps its own id."""
    truth = torch.tensor([[0.0, 0, 20, 20], [0, 0, 20, 20], [40, 40, 80, 90]])
    sample = sample_track_rois(truth, torch.tensor([4, 5, 6]), torch.zeros(0, 4), generator())
    assert sorted(sample.ids.tolist()) == [4, 5, 6]
    nothing = sample_track_rois(truth[:0], torch.zeros(0).long(), random_boxes(5, 0), generator())
    assert nothing.boxes.shape == (0, 4)
