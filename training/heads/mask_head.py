"""A class-agnostic mask for each box, from maps of a frozen detector."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import roi_align

from training.heads.pool import TAPS

SIZE = 28  # of a mask, a side
CUT = 0.4  # probability above which a pixel is taken; found on training images that were held back
_BINS, _BORDER = SIZE // 2, 2  # of the coarse features of a box: bins a side, and bins around it


class MaskHead(nn.Module):
    """forward: boxes (N, 4) px of the input, image of each box (N,), maps by stride -> logits
    (N, SIZE, SIZE) over the box.

    What is said once for the whole image is cheap: the maps are joined from the coarsest to
    stride 8 before boxes are cut from them. A box is cut with a border, and convolutions without
    padding use it up: what goes on beside a box tells which side of an edge is the object. Colours
    and the map of stride 4 are cut twice as finely, because most boxes are a few cells wide.
    """

    def __init__(self, width: int = 48, fine: int = 24, last: int = 16) -> None:
        super().__init__()
        self.lateral4, self.lateral8, self.lateral16, self.lateral32 = (
            _conv(TAPS[name][0], width, 1) for name in list(TAPS)[1:]
        )
        self.smooth = _conv(width, width, 3, padding=1)
        self.fine = _conv(TAPS["stride4"][0], fine, 1)
        self.shrink = _conv(fine + 3, width, 3, padding=1, stride=2)
        # Convolutions without padding do not know where in the box they are; objects fill its
        # middle and touch its sides.
        bins = _BINS + 2 * _BORDER
        self.place = nn.Parameter(torch.zeros(1, width, bins, bins))
        self.conv1 = _conv(width, width, 3)
        self.whole = nn.Linear(width, width)
        self.conv2 = _conv(width, width, 3)
        self.conv3 = _conv(width, width, 3, padding=1)
        self.narrow = _conv(width, last, 1)
        self.fine_place = nn.Parameter(torch.zeros(1, last, SIZE, SIZE))
        self.edges = _conv(fine + 3, last, 3, padding=1)
        self.conv4 = _conv(last, last, 3, padding=1)
        self.conv5 = _conv(last, last, 3, padding=1)
        self.last = nn.Conv2d(last, 1, 1)

    def forward(self, boxes: Tensor, image_of_box: Tensor, maps: dict[str, Tensor]) -> Tensor:
        coarse, fine = self.whole_image(maps)
        return self.of_boxes(boxes, image_of_box, maps["image"], coarse, fine)

    def whole_image(self, maps: dict[str, Tensor]) -> tuple[Tensor, Tensor]:
        """What boxes are cut from: (B, width, H / 8, W / 8) and (B, fine, H / 4, W / 4)."""
        joined = self.lateral16(maps["stride16"]) + _doubled(self.lateral32(maps["stride32"]))
        joined = self.lateral8(maps["stride8"]) + _doubled(joined)
        joined = joined + self.lateral4(functional.avg_pool2d(maps["stride4"], 2))
        return self.smooth(joined.relu()), self.fine(maps["stride4"])

    def of_boxes(
        self, boxes: Tensor, image_of_box: Tensor, image: Tensor, coarse: Tensor, fine: Tensor
    ) -> Tensor:
        border = (boxes[:, 2:] - boxes[:, :2]) * (_BORDER / _BINS)
        wide = torch.cat((boxes[:, :2] - border, boxes[:, 2:] + border), dim=1)
        rois = torch.cat((image_of_box[:, None].to(boxes.dtype), wide), dim=1)
        bins = _BINS + 2 * _BORDER
        colours = roi_align(image, rois, 2 * bins, 1, 2, True)
        # Colours beside those of the whole box: what light there is makes no difference.
        colours = colours - colours.mean(dim=(2, 3), keepdim=True)
        detail = torch.cat((colours, roi_align(fine, rois, 2 * bins, 1 / 4, 1, True)), dim=1)
        x = roi_align(coarse, rois, bins, 1 / 8, 1, True)
        x = self.conv1((x + self.shrink(detail) + self.place).relu()).relu()
        x = x + self.whole(x.mean(dim=(2, 3)))[:, :, None, None]
        x = self.conv2(x.relu()).relu()
        x = self.conv3(x).relu()
        inside = detail[:, :, 2 * _BORDER : -2 * _BORDER, 2 * _BORDER : -2 * _BORDER]
        x = _doubled(self.narrow(x)) + self.edges(inside) + self.fine_place
        x = self.conv5(self.conv4(x.relu()).relu()).relu()
        return self.last(x)[:, 0]


def _conv(channels: int, out: int, size: int, padding: int = 0, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, size, stride, padding, bias=False), nn.BatchNorm2d(out)
    )


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear")
