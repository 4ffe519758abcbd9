"""Grounding DINO as a detector: a text prompt and an image to boxes of the named classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torchvision.ops import box_convert, nms
from transformers import GroundingDinoConfig

from masa_core.models.backbones.swin import Swin
from masa_core.models.boxes import clip
from masa_core.models.gdino.caption import Caption, captions, parse_prompt
from masa_core.models.gdino.keys import from_official, to_official
from masa_core.models.gdino.transformer import GroundingTransformer
from masa_core.models.preprocess import Geometry
from masa_core.structures import Detections

_OURS = "transformer."


class GroundingDino(nn.Module):
    """Whoever owns the model runs the backbone once a frame, for the adapter and for this detector:

        taps = gdino.backbone(images)
        gdino.set_prompt("person, traffic light")
        detections = gdino.detect(gdino.prepare(taps), geometry)

    One image at a time. The prompt may change between any two frames. `state_dict` and
    `load_state_dict` speak the names of the official checkpoint behind its prefix "detector.".

    classes: names of the labels, set by the prompt. max_detections: pairs of a box and a class
    that `detect` keeps. nms_iou: boxes overlapping a better one by more are dropped, whatever
    their classes; None, as in the official model, keeps them all for the tracker to judge.
    """

    float32_parts = ("transformer",)  # its boxes need more than half precision's three digits

    def __init__(
        self, config: GroundingDinoConfig | None = None, backbone: Swin | None = None
    ) -> None:
        super().__init__()
        self.max_detections = 300
        self.nms_iou: float | None = None
        self.backbone = Swin(window=12) if backbone is None else backbone
        self.transformer = GroundingTransformer(
            config or GroundingDinoConfig(), self.backbone.channels
        )
        self.set_prompt(("object",))
        self.register_state_dict_post_hook(_name_officially)
        self.register_load_state_dict_pre_hook(_read_official)

    def set_prompt(self, prompt: str | Sequence[str]) -> tuple[str, ...]:
        """Look for these classes from the next frame on: "person, car", or a list of names.

        Returns the names, in the order of the labels. Raises ValueError for a prompt without
        names, and then keeps the old one.
        """
        names = parse_prompt(prompt)
        self._captions = captions(names)
        self._texts: list[tuple[Caption, Tensor]] | None = None
        self.classes = names
        return names

    def prepare(self, taps: Sequence[Tensor]) -> Sequence[Tensor]:
        """What `detect` reads: the backbone's maps as they are."""
        return taps

    def detect(self, taps: Sequence[Tensor], geometry: Geometry) -> Detections:
        """Boxes in px of the frame, best first. A box may come several times, once a class."""
        boxes, scores, labels = self(taps, geometry)
        return Detections(boxes.cpu().numpy(), scores.cpu().numpy(), labels.cpu().numpy())

    def forward(self, taps: Sequence[Tensor], geometry: Geometry) -> tuple[Tensor, Tensor, Tensor]:
        """`detect` as tensors: boxes (N, 4), scores (N,), labels (N,).

        A prompt of more than 256 tokens is looked for in several passes; each gives its best.
        """
        taps = [tap.float() for tap in taps]
        passes, first = [], 0
        for caption, text in self._encoded_texts(taps[0].device):
            logits, boxes = self.transformer(taps, text, caption, geometry)
            boxes, scores, labels = best_pairs(logits, boxes, caption, self.max_detections)
            passes.append((to_frame(boxes, geometry), scores, labels + first))
            first += caption.class_tokens.shape[1]
        boxes, scores, labels = (torch.cat(column) for column in zip(*passes, strict=True))
        if self.nms_iou is None:
            order = scores.argsort(descending=True, stable=True)
        else:
            order = nms(boxes, scores, self.nms_iou)
        return boxes[order], scores[order], labels[order]

    def _encoded_texts(self, device: torch.device) -> list[tuple[Caption, Tensor]]:
        """The captions and their features, which are the same for all frames of a prompt."""
        if self._texts is None:
            moved = [caption.to(device) for caption in self._captions]
            self._texts = [(caption, self.transformer.encode_text(caption)) for caption in moved]
        return self._texts

    def _apply(self, *args: Any, **kwargs: Any) -> GroundingDino:
        self._texts = None  # moved to another device or type
        return super()._apply(*args, **kwargs)


def best_pairs(
    logits: Tensor, boxes: Tensor, caption: Caption, limit: int
) -> tuple[Tensor, Tensor, Tensor]:
    """The best pairs of a box and a class: boxes (N, 4), scores (N,), labels (N,), sorted.

    A class's score is the mean probability of its tokens.
    """
    scores = (logits.sigmoid() @ caption.class_tokens).flatten()
    scores, pairs = scores.topk(min(limit, len(scores)))
    classes = caption.class_tokens.shape[1]
    return boxes[pairs // classes], scores, pairs % classes


def to_frame(boxes: Tensor, geometry: Geometry) -> Tensor:
    """Boxes cx, cy, w, h in units of the resized image -> x1, y1, x2, y2 in px of the frame."""
    height, width = geometry.resized_height, geometry.resized_width
    corners = box_convert(boxes, "cxcywh", "xyxy") * boxes.new_tensor([width, height] * 2)
    return geometry.to_frame(clip(corners, (height, width)))


def _name_officially(module: nn.Module, state: dict[str, Any], prefix: str, _: Any) -> None:
    start = prefix + _OURS
    ours = {key[len(start) :]: state.pop(key) for key in list(state) if key.startswith(start)}
    state.update({prefix + key: value for key, value in to_official(ours).items()})


def _read_official(module: nn.Module, state: dict[str, Any], prefix: str, *_: Any) -> None:
    assert isinstance(module, GroundingDino)
    module._texts = None
    official = {key[len(prefix) :]: value for key, value in state.items()}
    for key in official:
        if from_official({key: official[key]}):
            del state[prefix + key]
    state.update({prefix + _OURS + k: v for k, v in from_official(official).items()})
