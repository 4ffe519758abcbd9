"""Detection distillation: where the segments' boxes are (paper section 3.2.2), on the key view.

Each image has a generator of its own, so that its draws do not depend on what else is in the
batch. All sums are in float32.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from masa_core.models import roi_head, rpn
from masa_core.models.boxes import encode_deltas
from training.assign import IGNORED, RPN_RULE, assign
from training.sample_rois import RoiSample, sample_anchors

L1 = 0.0  # as `beta` of `rpn_loss`: the published R50
SMOOTH_L1 = 1 / 9  # the other published models


def rpn_loss(
    logits: Sequence[Tensor],
    deltas: Sequence[Tensor],
    strides: Sequence[int],
    boxes: Sequence[Tensor],
    sizes: Sequence[tuple[int, int]],
    generators: Sequence[Generator],
    beta: float = SMOOTH_L1,
) -> dict[str, Tensor]:
    """Losses of the proposals, for a batch: loss_rpn_cls and loss_rpn_box.

    logits: of each level (B, 3, h, w), deltas: (B, 12, h, w), as `RPN.forward` gives them. boxes:
    of each image (M, 4) ground truth in pixels of the input, M may be 0. sizes: of each image
    (height, width) within the padded input; anchors of cells beyond it are ignored.

    Both are sums over the sampled anchors of the batch, divided by their number.
    """
    anchors = [
        rpn.anchors(level.shape[-2], level.shape[-1], stride, level.device)
        for level, stride in zip(logits, strides, strict=True)
    ]
    all_anchors = torch.cat(anchors)
    all_logits = torch.cat([level.permute(0, 2, 3, 1).flatten(1) for level in logits], dim=1)
    all_deltas = torch.cat(
        [level.permute(0, 2, 3, 1).reshape(len(level), -1, 4) for level in deltas], dim=1
    )
    sums = all_logits.new_zeros(2, dtype=torch.float32)
    count = 0
    for image, (truth, size, generator) in enumerate(zip(boxes, sizes, generators, strict=True)):
        within = _within(logits, strides, size)
        assigned = all_anchors.new_full((len(all_anchors),), IGNORED, dtype=torch.int64)
        assigned[within] = assign(all_anchors[within], truth, RPN_RULE)
        positive, negative = sample_anchors(assigned, generator)
        sampled = all_logits[image, torch.cat((positive, negative))].float()
        objects = (torch.arange(len(sampled), device=sampled.device) < len(positive)).float()
        target = encode_deltas(all_anchors[positive], truth[assigned[positive]], rpn.STDS)
        sums = sums + torch.stack(
            (
                F.binary_cross_entropy_with_logits(sampled, objects, reduction="sum"),
                _distance(all_deltas[image, positive], target, beta),
            )
        )
        count += len(sampled)
    return dict(zip(("loss_rpn_cls", "loss_rpn_box"), sums / max(count, 1), strict=True))


def box_loss(
    logits: Tensor, deltas: Tensor, samples: Sequence[RoiSample], truth: Sequence[Tensor]
) -> dict[str, Tensor]:
    """Losses of the box head, for a batch: loss_box_cls and loss_box_reg.

    logits: (R, 2) object and background, deltas: (R, 4), as `BoxHead.forward` gives them for the
    ``boxes`` of all samples, one image after the other. samples: of each image what
    `sample_box_rois` chose; truth: of each image its (M, 4) ground-truth boxes.

    Cross-entropy and L1, both divided by the number of sampled rois.
    """
    labels, targets, positive = [], [], []
    for sample, boxes in zip(samples, truth, strict=True):
        is_object = torch.arange(len(sample.boxes), device=logits.device) < len(sample.truth_rows)
        positive.append(is_object)
        labels.append((~is_object).long())  # class 0 is object, 1 background
        targets.append(encode_deltas(sample.positives, boxes[sample.truth_rows], roi_head.STDS))
    count = max(len(logits), 1)
    classes = F.cross_entropy(logits.float(), torch.cat(labels), reduction="sum")
    distance = _distance(deltas[torch.cat(positive)], torch.cat(targets), L1)
    return {"loss_box_cls": classes / count, "loss_box_reg": distance / count}


def _distance(deltas: Tensor, target: Tensor, beta: float) -> Tensor:
    return F.smooth_l1_loss(deltas.float(), target, reduction="sum", beta=beta)


def _within(logits: Sequence[Tensor], strides: Sequence[int], size: tuple[int, int]) -> Tensor:
    """(A,) whether an anchor's cell has a part in the (height, width) image."""
    parts = []
    for level, stride in zip(logits, strides, strict=True):
        rows = torch.arange(level.shape[-2], device=level.device) * stride < size[0]
        columns = torch.arange(level.shape[-1], device=level.device) * stride < size[1]
        cells = rows[:, None] & columns
        parts.append(cells.flatten().repeat_interleave(level.shape[1]))
    return torch.cat(parts)
