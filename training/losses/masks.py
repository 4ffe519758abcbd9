"""Mask distillation (ours, not the paper's): a segment inside a roi, and how far a mask is off."""

from __future__ import annotations

import cv2
import numpy as np
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from masa_core.masks import decode_mask
from training.views.geometric import shifted
from training.views.view import View

_FINEST = 8  # samples a cell and axis, at most


def mask_targets(view: View, rows: ArrayLike, size: int) -> NDArray[np.float32]:
    """(R, size, size) float32 share of each cell of its box that an instance covers.

    rows: (R,) instances of the view; a row may come more than once. An instance goes on outside of
    the view's image, as its box does.
    """
    index = np.asarray(rows, np.int64).reshape(-1)
    targets = np.zeros((len(index), size, size), np.float32)
    for target, row in zip(targets, index, strict=True):
        mask, box = view.masks[row], view.boxes[row]
        if mask.width and mask.height and (box[2:] > box[:2]).all():
            crop = decode_mask(mask).astype(np.uint8) * 255
            to_crop = shifted(-mask.x, -mask.y) @ np.linalg.inv(view.to_view[row])
            target[:] = _read(crop, to_crop, box.astype(np.float64), size)
    return targets


def mask_loss(logits: Tensor, targets: Tensor) -> dict[str, Tensor]:
    """loss_mask_bce and loss_mask_dice of (R, h, w) logits and targets in 0..1; R may be 0.

    Binary cross-entropy, averaged over pixels and rois. Dice (one minus the soft overlap) beside
    it, since masks are judged by IoU: without it, thin shapes in a large box hardly count.
    """
    logits, targets = logits.float(), targets.float()
    if not len(logits):
        return {"loss_mask_bce": logits.sum(), "loss_mask_dice": logits.sum()}
    chance = logits.sigmoid()
    shared = (chance * targets).sum(dim=(1, 2))
    both = chance.square().sum(dim=(1, 2)) + targets.square().sum(dim=(1, 2))
    dice = 1 - (2 * shared + 1) / (both + 1)
    return {
        "loss_mask_bce": F.binary_cross_entropy_with_logits(logits, targets),
        "loss_mask_dice": dice.mean(),
    }


def _read(crop: NDArray[np.uint8], to_crop: NDArray, box: NDArray, size: int) -> NDArray:
    """(size, size) share of covered cells: ``crop`` read over ``box``, finely where it is large."""
    cell = (box[2:] - box[:2]) / size
    steps = np.hypot(to_crop[0, :2], to_crop[1, :2]) * cell  # in mask pixels, along x and y
    fine = int(np.clip(np.ceil(steps.max()), 1, _FINEST))
    cell = cell / fine
    to_box = np.array([[cell[0], 0, box[0]], [0, cell[1], box[1]], [0, 0, 1]])
    # cv2 counts from the middle of the first pixel, boxes from its corner.
    matrix = shifted(-0.5, -0.5) @ to_crop @ to_box @ shifted(0.5, 0.5)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    read = cv2.warpAffine(crop, matrix[:2], (size * fine, size * fine), flags=flags)
    shares = read.reshape(size, fine, size, fine).mean(axis=(1, 3), dtype=np.float32)
    return shares / np.float32(255)
