"""A model with its losses: one batch of view pairs in, the losses of one training step out."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Generator, Tensor, nn

from masa_core.models.masa import Masa
from masa_core.models.preprocess import MEAN_RGB, STD_RGB
from masa_core.models.roi_align import pool
from masa_core.models.rpn import propose
from training.dataset import Batch, Side
from training.distributed import processes, total
from training.losses.detection import L1, SMOOTH_L1, box_loss, rpn_loss
from training.losses.masks import mask_loss
from training.losses.track import mean_track_losses
from training.mask_head import RoiMaskHead
from training.onnx_backbone import OnnxBackbone
from training.sample_rois import RoiSample, sample_box_rois, sample_track_rois

KEY_PER_LEVEL, REFERENCE_PER_LEVEL = 2000, 1000  # proposals of a view before its NMS
SHAKEN_COPIES, SHAKEN_BY = 3, 0.05  # of a true box, where no proposals are learned; of its sides


class Learner(nn.Module):
    """forward: a batch -> its losses by name, each a number, to be added up.

    model: with its frozen detector or backbone. mask_head: one more thing to learn, or None.
    detection: distil proposals and boxes, too. seed: of the samplers. batch_norm: "frozen" keeps
    the statistics of adapter and heads. Only the parameters that `trained` names have gradients.
    """

    def __init__(
        self,
        model: Masa,
        mask_head: RoiMaskHead | None = None,
        detection: bool = True,
        seed: int = 0,
        batch_norm: str = "local",
    ) -> None:
        super().__init__()
        self.model, self.mask_head = model, mask_head
        self.detection, self.seed = detection, seed
        self._batch_norm = batch_norm
        self._head_alone = False
        self.learn_all()

    def learn_all(self) -> None:
        """Train everything but the frozen parts."""
        self._set_trained(track_head_alone=False)

    def learn_track_head_alone(self) -> None:
        """Train the track head on a pyramid that stays as it is."""
        self._set_trained(track_head_alone=True)

    def trained(self) -> dict[str, nn.Parameter]:
        return {k: p for k, p in self.named_parameters() if p.requires_grad}

    def kept(self) -> dict[str, Tensor]:
        """What a checkpoint holds: all state but the frozen detector's. No copies."""
        state = self.state_dict(keep_vars=True)
        return {k: v for k, v in state.items() if not k.startswith("model.detector.")}

    def train(self, mode: bool = True) -> Learner:
        super().train(mode)
        if self.model.detector is not None:
            self.model.detector.eval()
        if self._head_alone:
            for name, child in self.model.named_children():
                child.train(mode and name == "track_head")
        if self._batch_norm == "frozen":
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        model, pairs = self.model, len(batch.numbers)
        levels = self._pyramid(torch.cat((batch.key.images, batch.reference.images)))
        key = [level[:pairs] for level in levels]
        reference = [level[pairs:] for level in levels]
        draws = [_generators(self.seed, batch.numbers, purpose) for purpose in range(5)]
        losses: dict[str, Tensor] = {}
        proposals, others = self._proposals(key, reference, batch, draws, losses)
        if self.detection and not self._head_alone:
            losses |= self._box_losses(key, batch.key, proposals, draws[1])
        key_rois = _track_rois(batch.key, proposals, draws[2], positives_only=True)
        other_rois = _track_rois(batch.reference, others, draws[3], positives_only=False)
        strides = model.track_head.strides
        looks = model.track_head(key[: len(strides)], _rois(key_rois)).split(_lengths(key_rois))
        other_looks = model.track_head(reference[: len(strides)], _rois(other_rois)).split(
            _lengths(other_rois)
        )
        losses |= mean_track_losses(
            [
                (a, b, rois.ids[: len(a)], other.ids)
                for a, b, rois, other in zip(looks, other_looks, key_rois, other_rois, strict=True)
            ]
        )
        if self.mask_head is not None and not self._head_alone:
            losses |= self._mask_losses(key, batch)
        # Whatever had nothing to learn from in this batch has a gradient of zero, on every process.
        losses["loss_unused"] = 0 * torch.stack([p.sum() for p in self.trained().values()]).sum()
        return losses

    def _set_trained(self, track_head_alone: bool) -> None:
        self._head_alone = track_head_alone
        for name, parameter in self.named_parameters():
            frozen = name.startswith("model.detector.")
            if track_head_alone:
                frozen = not name.startswith("model.track_head.")
            elif not self.detection:
                frozen |= name.startswith(("model.rpn_head.", "model.roi_head."))
            parameter.requires_grad_(not frozen)
        self.train(self.training)

    def _pyramid(self, images: Tensor) -> list[Tensor]:
        """Levels for (B, H, W, 3) uint8 BGR views."""
        model = self.model
        frozen = model.detector is not None
        backbone = model.detector.backbone if frozen else model.backbone
        with torch.set_grad_enabled(not (frozen or self._head_alone)):
            taps = backbone(normalised(model, images))
        with torch.set_grad_enabled(not self._head_alone):
            levels: list[Tensor] = model.masa_adapter(taps)
        return levels

    def _proposals(
        self,
        key: Sequence[Tensor],
        reference: Sequence[Tensor],
        batch: Batch,
        draws: Sequence[Sequence[Generator]],
        losses: dict[str, Tensor],
    ) -> tuple[list[Tensor], list[Tensor]]:
        """Boxes of each key and each reference view; the loss of making them goes to ``losses``."""
        model = self.model
        if not self.detection:
            shaken = [
                [shaken_boxes(boxes, g) for boxes, g in zip(side.boxes, draws[4], strict=True)]
                for side in (batch.key, batch.reference)
            ]
            return shaken[0], shaken[1]
        size = (batch.key.images.shape[1], batch.key.images.shape[2])
        logits, deltas = model.rpn_head(key)
        if not self._head_alone:
            sizes = [size] * len(batch.numbers)
            beta = L1 if model.name == "masa_r50" else SMOOTH_L1
            losses |= rpn_loss(
                logits, deltas, model.strides, batch.key.boxes, sizes, draws[0], beta
            )
        with torch.no_grad():
            other_logits, other_deltas = model.rpn_head(reference)
            return (
                _propose(logits, deltas, model.strides, size, KEY_PER_LEVEL),
                _propose(other_logits, other_deltas, model.strides, size, REFERENCE_PER_LEVEL),
            )

    def _box_losses(
        self,
        key: Sequence[Tensor],
        side: Side,
        proposals: Sequence[Tensor],
        generators: Sequence[Generator],
    ) -> dict[str, Tensor]:
        samples = [
            sample_box_rois(*columns)
            for columns in zip(side.boxes, side.ids, proposals, generators, strict=True)
        ]
        head = self.model.roi_head
        pooled = pool(key[: len(head.strides)], _rois(samples), head.strides)
        logits, deltas = head.bbox_head(pooled)
        losses = box_loss(logits, deltas, samples, side.boxes)
        return _of_all_processes(losses, len(logits), logits.device)

    def _mask_losses(self, key: Sequence[Tensor], batch: Batch) -> dict[str, Tensor]:
        assert self.mask_head is not None
        columns = zip(batch.key.boxes, batch.mask_rows, strict=True)
        boxes = [boxes[rows] for boxes, rows in columns]
        levels = key[: len(self.mask_head.strides)]
        logits = self.mask_head(levels, _indexed(boxes))
        losses = mask_loss(logits, torch.cat(batch.masks))
        return _of_all_processes(losses, len(logits), logits.device)


def normalised(model: Masa, images: Tensor) -> Tensor:
    """(B, 3, H, W) float32 input of a model for (B, H, W, 3) uint8 BGR images."""
    mean, std, rgb = MEAN_RGB, STD_RGB, True
    backbone = getattr(model, "backbone", None)
    if isinstance(backbone, OnnxBackbone):
        spec = backbone.spec
        mean, std, rgb = spec.mean, spec.std, spec.channels == "rgb"
    pixels = (images.flip(-1) if rgb else images).float()
    return ((pixels - pixels.new_tensor(mean)) / pixels.new_tensor(std)).permute(0, 3, 1, 2)


def shaken_boxes(boxes: Tensor, generator: Generator) -> Tensor:
    """(3 N, 4): three copies of each box with its edges moved at random, as detectors do."""
    sides = (boxes[:, 2:] - boxes[:, :2]).repeat(SHAKEN_COPIES, 2)
    noise = torch.randn(sides.shape, generator=generator).to(boxes.device)
    return boxes.repeat(SHAKEN_COPIES, 1) + noise * sides * SHAKEN_BY


def _propose(
    logits: Sequence[Tensor],
    deltas: Sequence[Tensor],
    strides: Sequence[int],
    size: tuple[int, int],
    per_level: int,
) -> list[Tensor]:
    with torch.no_grad():
        return [
            propose([x[i] for x in logits], [x[i] for x in deltas], strides, size, per_level)[0]
            for i in range(len(logits[0]))
        ]


def _track_rois(
    side: Side,
    proposals: Sequence[Tensor],
    generators: Sequence[Generator],
    positives_only: bool,
) -> list[RoiSample]:
    samples = [
        sample_track_rois(*columns)
        for columns in zip(side.boxes, side.ids, proposals, generators, strict=True)
    ]
    if not positives_only:
        return samples
    return [RoiSample(s.positives, s.truth_rows, s.ids[: len(s.truth_rows)]) for s in samples]


def _generators(seed: int, numbers: Sequence[int], purpose: int) -> list[Generator]:
    """One for each sample: what is drawn for it does not depend on the rest of the batch."""
    return [Generator().manual_seed((seed * 8 + purpose) * (1 << 40) + n) for n in numbers]


def _rois(samples: Sequence[RoiSample]) -> Tensor:
    return _indexed([sample.boxes for sample in samples])


def _indexed(boxes: Sequence[Tensor]) -> Tensor:
    """(N, 5) rois: image index and box."""
    index = [rows.new_full((len(rows), 1), i) for i, rows in enumerate(boxes)]
    return torch.cat((torch.cat(index), torch.cat(list(boxes))), dim=1)


def _lengths(samples: Sequence[RoiSample]) -> list[int]:
    return [len(sample.boxes) for sample in samples]


def _of_all_processes(
    losses: dict[str, Tensor], rows: int, device: torch.device
) -> dict[str, Tensor]:
    """Means over this process's rows, weighted so that the mean over processes is that over all."""
    if processes() == 1:
        return losses
    count = total(torch.tensor(float(rows), device=device)).clamp(min=1)
    return {name: loss * (rows * processes() / count) for name, loss in losses.items()}
