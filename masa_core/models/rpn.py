"""Region proposals of the class-agnostic detection head (paper section 3.2.2)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torchvision.ops import batched_nms

from masa_core.models.boxes import decode_deltas

_RATIOS = (0.5, 1.0, 2.0)  # height / width of a cell's anchors, in the order of the channels
_SCALE = 8  # an anchor's side in strides
NMS_IOU = 0.7
STDS = (1.0, 1.0, 1.0, 1.0)


class RPN(nn.Module):
    """forward: levels (B, channels, h_i, w_i) -> ([(B, 3, h_i, w_i) logits], [(B, 12, ., .)]).

    The deltas of anchor a are channels 4a .. 4a + 3.
    """

    def __init__(self, channels: int = 256) -> None:
        super().__init__()
        self.rpn_conv = nn.Conv2d(channels, channels, 3, padding=1)
        self.rpn_cls = nn.Conv2d(channels, len(_RATIOS), 1)
        self.rpn_reg = nn.Conv2d(channels, 4 * len(_RATIOS), 1)
        for conv in (self.rpn_conv, self.rpn_cls, self.rpn_reg):
            nn.init.normal_(conv.weight, 0, 0.01)
            assert conv.bias is not None
            nn.init.zeros_(conv.bias)

    def forward(self, levels: Sequence[Tensor]) -> tuple[list[Tensor], list[Tensor]]:
        hidden = [self.rpn_conv(level).relu_() for level in levels]
        return [self.rpn_cls(x) for x in hidden], [self.rpn_reg(x) for x in hidden]


def anchors(height: int, width: int, stride: int, device: torch.device) -> Tensor:
    """(height * width * 3, 4) anchors of a level, cell by cell, in pixels of the input.

    They are centred on the cells' top-left corners, not on the cells' middles.
    """
    ratios = torch.tensor(_RATIOS, device=device)
    half = torch.stack((ratios.rsqrt(), ratios.sqrt()), dim=1) * (_SCALE * stride / 2)
    y, x = torch.meshgrid(
        torch.arange(height, device=device), torch.arange(width, device=device), indexing="ij"
    )
    centre = torch.stack((x, y), dim=-1).view(-1, 1, 2) * stride
    return torch.cat((centre - half, centre + half), dim=-1).view(-1, 4)


def propose(
    logits: Sequence[Tensor],
    deltas: Sequence[Tensor],
    strides: Sequence[int],
    size: tuple[int, int],
    per_level: int = 1000,
    keep: int = 1000,
) -> tuple[Tensor, Tensor]:
    """Proposals of one image: (N, 4) float32 boxes in pixels of the input and (N,) scores.

    logits: a (3, h, w) map a level, deltas: (12, h, w). size: (height, width) of the image within
    the padded input. The best ``per_level`` of each level go through that level's NMS (IoU 0.7);
    the best ``keep`` of all remain, score-sorted.
    """
    boxes, scores, levels = [], [], []
    for i, (logit, delta, stride) in enumerate(zip(logits, deltas, strides, strict=True)):
        score = logit.float().sigmoid().permute(1, 2, 0).flatten()
        best, order = score.sort(descending=True, stable=True)
        best, order = best[:per_level], order[:per_level]
        chosen = delta.float().permute(1, 2, 0).reshape(-1, 4)[order]
        cells = anchors(logit.shape[-2], logit.shape[-1], stride, logit.device)[order]
        boxes.append(decode_deltas(cells, chosen, STDS, size))
        scores.append(best)
        levels.append(torch.full_like(order, i))
    all_boxes, all_scores, all_levels = torch.cat(boxes), torch.cat(scores), torch.cat(levels)
    real = torch.nonzero((all_boxes[:, 2:] > all_boxes[:, :2]).all(dim=1)).flatten()
    kept = batched_nms(all_boxes[real], all_scores[real], all_levels[real], NMS_IOU)[:keep]
    return all_boxes[real[kept]], all_scores[real[kept]]
