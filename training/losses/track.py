"""The track loss: instances of the key view against all rois of the reference view."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from training.losses.contrastive import (
    CONTRASTIVE_WEIGHT,
    contrastive_loss,
    margin_loss,
    same_instance,
)

Pair = tuple[Tensor, Tensor, Tensor, Tensor]


def track_losses(
    key: Tensor, reference: Tensor, key_ids: Tensor, reference_ids: Tensor
) -> dict[str, Tensor]:
    """Both losses of one pair of views, weighted: loss_track (x 0.25) and loss_track_aux (x 1).

    key: (K, D) embeddings of the key view's positive rois. reference: (R, D) of the reference
    view's rois, negatives included. key_ids, reference_ids: (K,), (R,) int64 instance ids, 0 for
    rois that show none (`training.sample_rois.RoiSample.ids`). K and R may be 0.

    In float32 under autocast too: half precision cannot hold dot products of trained lengths.
    """
    same = same_instance(key_ids, reference_ids)
    with torch.autocast(key.device.type, enabled=False):
        key, reference = key.float(), reference.float()
        contrastive = contrastive_loss(key @ reference.T, same)
        cosines = F.normalize(key, dim=1) @ F.normalize(reference, dim=1).T
        margin = margin_loss(cosines, same)
    return {"loss_track": CONTRASTIVE_WEIGHT * contrastive, "loss_track_aux": margin}


def mean_track_losses(pairs: Sequence[Pair]) -> dict[str, Tensor]:
    """`track_losses` of each pair's (key, reference, key_ids, reference_ids), averaged over pairs.

    A pair without a match counts as 0, so that each image weighs the same in every batch, on one
    device or on many.
    """
    losses = [track_losses(*pair) for pair in pairs]
    return {name: torch.stack([loss[name] for loss in losses]).mean() for name in losses[0]}
