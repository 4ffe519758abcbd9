"""A class-agnostic mask for each box, from maps of a frozen detector."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import roi_align

from training.heads.pool import TAPS

SIZE = 28  # of a mask, a side
_BINS, _BORDER = SIZE // 2, 2  # of the coarse features of a box: bins a side, and bins around it


class MaskHead(nn.Module):
    """forward: boxes (N, 4) px of the input, image of each box (N,), maps by stride -> logits
    (N, SIZE, SIZE) over the box.

    What is said once for the whole image is cheap: the maps are joined from the coarsest to
    stride 8 before boxes are cut from them. A box is cut with a border, and convolutions without
    padding use it up: what goes on beside a box tells which side of an edge is the object.
    """

    def __init__(self, width: int = 48, fine: int = 16) -> None:
        super().__init__()
        self.lateral4, self.lateral8, self.lateral16, self.lateral32 = (
            _conv(channels, width, 1) for channels in TAPS.values()
        )
        self.smooth = _conv(width, width, 3, padding=1)
        self.fine = _conv(TAPS["stride4"], fine, 1)
        self.conv1 = _conv(width, width, 3)
        self.whole = nn.Linear(width, width)
        self.conv2 = _conv(width, width, 3)
        self.conv3 = _conv(width, width, 3, padding=1)
        self.narrow = _conv(width, fine, 1)
        self.conv4 = _conv(fine, fine, 3, padding=1)
        self.conv5 = _conv(fine, fine, 3, padding=1)
        self.last = nn.Conv2d(fine, 1, 1)

    def forward(self, boxes: Tensor, image_of_box: Tensor, maps: dict[str, Tensor]) -> Tensor:
        coarse, fine = self.whole_image(maps)
        return self.of_boxes(boxes, image_of_box, coarse, fine)

    def whole_image(self, maps: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """What boxes are cut from: (B, width, H / 8, W / 8) and (B, fine, H / 4, W / 4)."""
        joined = self.lateral16(maps["stride16"]) + _doubled(self.lateral32(maps["stride32"]))
        joined = self.lateral8(maps["stride8"]) + _doubled(joined)
        joined = joined + self.lateral4(functional.avg_pool2d(maps["stride4"], 2))
        return self.smooth(joined.relu()).relu(), self.fine(maps["stride4"])

    def of_boxes(self, boxes: Tensor, image_of_box: Tensor, coarse: Tensor, fine: Tensor) -> Tensor:
        border = (boxes[:, 2:] - boxes[:, :2]) * (_BORDER / _BINS)
        wide = torch.cat((boxes[:, :2] - border, boxes[:, 2:] + border), dim=1)
        index = image_of_box[:, None].to(boxes.dtype)
        x = roi_align(coarse, torch.cat((index, wide), 1), _BINS + 2 * _BORDER, 1 / 8, 1, True)
        x = self.conv1(x).relu()
        x = x + self.whole(x.mean(dim=(2, 3)))[:, :, None, None]
        x = self.conv2(x.relu()).relu()
        x = self.conv3(x).relu()
        y = roi_align(fine, torch.cat((index, boxes), 1), SIZE, 1 / 4, 1, True)
        x = _doubled(self.narrow(x)) + y
        x = self.conv5(self.conv4(x.relu()).relu()).relu()
        return self.last(x)[:, 0]


def _conv(channels: int, out: int, size: int, padding: int = 0) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, size, padding=padding, bias=False), nn.BatchNorm2d(out)
    )


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear")
