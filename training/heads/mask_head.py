"""A class-agnostic mask for each box, from maps of a frozen detector."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torchvision.ops import roi_align

from training.heads.pool import TAPS

SIZE = 28  # of a mask, a side
CUT = 0.4  # probability above which a pixel is taken; found on training images that were held back
_SPREAD, _SHARPNESS = 1.1, 3.0  # of colour words as they begin, in the input's units
_RARE = 0.01  # share of a colour that is as good as none
_BINS, _BORDER = SIZE // 2, 2  # of the coarse features of a box: bins a side, and bins around it


class MaskHead(nn.Module):
    """forward: boxes (N, 4) px of the input, image of each box (N,), maps by stride -> logits
    (N, SIZE, SIZE) over the box.

    What is said once for the whole image is cheap: the maps are joined from the coarsest to
    stride 8 before boxes are cut from them. A box is cut with a border, and convolutions without
    padding use it up: what goes on beside a box tells which side of an edge is the object. Colours
    and the map of stride 4 are cut twice as finely, because most boxes are a few cells wide. Which
    colours stand out from the border is counted, not learned: it holds for things never seen.
    """

    def __init__(self, width: int = 48, fine: int = 13, last: int = 16, words: int = 16) -> None:
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
        self.words = _colour_words(words)
        self.distinct = _conv(2, width, 1)
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
        colours = roi_align(functional.avg_pool2d(image, 2), rois, 2 * bins, 1 / 2, 1, True)
        distinct = self.distinct(contrast(self.words(functional.avg_pool2d(colours, 2))))
        # Colours beside those of the whole box: what light there is makes no difference.
        colours = colours - colours.mean(dim=(2, 3), keepdim=True)
        detail = torch.cat((colours, roi_align(fine, rois, 2 * bins, 1 / 4, 1, True)), dim=1)
        x = roi_align(coarse, rois, bins, 1 / 8, 1, True)
        x = x + self.shrink(detail) + self.place + distinct
        x = self.conv1(x.relu()).relu()
        x = x + self.whole(x.mean(dim=(2, 3)))[:, :, None, None]
        x = self.conv2(x.relu()).relu()
        x = self.conv3(x).relu()
        inside = detail[:, :, 2 * _BORDER : -2 * _BORDER, 2 * _BORDER : -2 * _BORDER]
        x = _doubled(self.narrow(x)) + self.edges(inside) + self.fine_place
        x = self.conv5(self.conv4(x.relu()).relu()).relu()
        return self.last(x)[:, 0]


def _colour_words(count: int) -> nn.Sequential:
    """Share of each of `count` colours in each place, (N, count, h, w); which ones, is learned."""
    colours = torch.randn(count, 3) * _SPREAD
    linear = nn.Conv2d(3, count, 1)
    # Softmax of -sharpness |c - word|^2, of which |c|^2 is the same for all words.
    linear.weight.data = 2 * _SHARPNESS * colours[:, :, None, None]
    linear.bias.data = -_SHARPNESS * colours.square().sum(dim=1)
    return nn.Sequential(linear, nn.Softmax(dim=1))


def contrast(words: Tensor) -> Tensor:
    """(N, 2, bins, bins): how much likelier, in logarithms, the colour of a bin is inside of the
    box, and in the middle of it, than in the border around. words: (N, words, bins, bins)."""
    bins = words.shape[-1]
    third = bins // 3
    total, inside = (words[:, :, i : bins - i, i : bins - i].sum((2, 3)) for i in (0, _BORDER))
    middle = words[:, :, third:-third, third:-third].mean(dim=(2, 3))
    around = (total - inside) / (bins**2 - _BINS**2)
    shares = torch.stack((inside / _BINS**2, middle), dim=1)
    odds = (shares + _RARE).log() - (around + _RARE).log()[:, None]
    return (odds @ words.flatten(2)).unflatten(2, (bins, bins))


def _conv(channels: int, out: int, size: int, padding: int = 0, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(channels, out, size, stride, padding, bias=False), nn.BatchNorm2d(out)
    )


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="bilinear")
