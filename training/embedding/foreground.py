"""Where in a crop the object is: a small network on the stem, taught by views with shares.

Measures are averaged over what it takes for the object; the background, which changes between
views of one thing, counts for little.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np
import onnx
import torch
from numpy.random import RandomState
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from training.embedding.composites import View, composite, in_place
from training.embedding.cut_outs import CutOut
from training.embedding.form import CROP, OPSET, Stem, stem_graph
from training.embedding.run import Runner
from training.heads.export import halved
from training.heads.steps import train_head
from training.losses.masks import mask_loss

CELLS = (CROP[0] // 4, CROP[1] // 4)  # rows, columns
CHANNELS = 64  # of the stem's map of stride 4
BATCH, LEARNING_RATE = 64, 3e-3
IN_PLACE = 0.4  # share of the views that show an object where it is; composites have seams


class ForegroundNet(nn.Module):
    """forward: the stem's map of stride 4 of crops (N, 64, *CELLS) -> logits (N, 1, *CELLS).

    From fine to coarse and back, to see a cell and all of the crop.
    """

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        self.enter = nn.Conv2d(CHANNELS, width, 1)
        # Boxes are drawn around objects: the middle is likelier than a corner.
        self.place = nn.Parameter(torch.zeros(1, width, *CELLS))
        wide = 2 * width
        self.down8 = nn.Conv2d(width, wide, 3, 2, 1)
        self.down16 = nn.Sequential(
            nn.Conv2d(wide, wide, 3, 2, 1), nn.ReLU(), nn.Conv2d(wide, wide, 3, 1, 1)
        )
        self.down32 = nn.Sequential(
            nn.Conv2d(wide, wide, 3, 2, 1), nn.ReLU(), nn.Conv2d(wide, wide, 3, 1, 1)
        )
        self.up16, self.up8 = nn.Conv2d(wide, wide, 1), nn.Conv2d(wide, wide, 1)
        self.up4 = nn.Conv2d(wide, width, 1)
        self.leave = nn.Conv2d(width, 1, 1)

    def forward(self, stride4: Tensor) -> Tensor:
        x4 = (self.enter(stride4) + self.place).relu()
        x8 = self.down8(x4).relu()
        x16 = self.down16(x8).relu()
        x32 = self.down32(x16).relu()
        x16 = (x16 + self.up16(_doubled(x32))).relu()
        x8 = (x8 + self.up8(_doubled(x16))).relu()
        x4 = (x4 + self.up4(_doubled(x8))).relu()
        logits: Tensor = self.leave(x4)
        return logits


def _doubled(x: Tensor) -> Tensor:
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


def train_foreground(
    stem: Stem,
    objects: Sequence[CutOut],
    lying: Sequence[CutOut],
    images: Sequence[NDArray[np.uint8]],
    steps: int,
    seed: int,
) -> onnx.ModelProto:
    """`stride4` to `foreground`, learned from fresh composites in each step, and from the objects
    that lie in their own images, if there are any."""
    maps = Runner(stem_graph(stem))

    def draw(random: RandomState) -> View:
        if lying and random.rand() < IN_PLACE:
            return in_place(lying[random.randint(len(lying))], random)
        return composite(objects[random.randint(len(objects))], objects, images, random)

    def loss_of(net: ForegroundNet, random: RandomState) -> Tensor:
        views = [draw(random) for _ in range(BATCH)]
        stride4 = torch.from_numpy(maps(np.stack([view.crop for view in views])))
        shares = torch.from_numpy(np.stack([view.share for view in views]))
        targets = functional.avg_pool2d(shares[:, None], 4)
        return torch.stack(list(mask_loss(net(stride4)[:, 0], targets[:, 0]).values())).sum()

    return foreground_graph(
        train_head(ForegroundNet, loss_of, steps, seed, LEARNING_RATE, "foreground")
    )


def foreground_graph(net: ForegroundNet) -> onnx.ModelProto:
    """`stride4` (N, 64, *CELLS) to `foreground` (N, 1, *CELLS) logits, weights held in fp16."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, about its own
        program = torch.onnx.export(
            net.eval(),
            (torch.zeros(3, CHANNELS, *CELLS),),
            dynamo=True,
            verbose=False,
            opset_version=OPSET,
            dynamic_shapes=({0: torch.export.Dim("boxes", min=2)},),
            input_names=["stride4"],
            output_names=["foreground"],
        )
    assert program is not None
    return halved(program.model_proto)
