"""Detectors of the transformers library, by the name or the folder of their weights."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoConfig, AutoImageProcessor, AutoModelForObjectDetection
from transformers.utils.logging import disable_progress_bar

from masa_core.models.gdino.pretrained import load_transformers
from masa_core.models.preprocess import Preprocessing
from masa_core.runtime.protocol import ModelError
from masa_core.structures import Detections

_NAME = re.compile(r"\w[\w.-]*(/[\w.-]+)?")  # of a model at Hugging Face


def open_detector(
    source: str, device: str = "cpu", prompt: str = ""
) -> TransformersDetector | TextDetector:
    """The detector in a folder, or of that name in the machine's Hugging Face cache.

    prompt: what Grounding DINO looks for; other detectors take none. Raises ModelError where the
    files are not there or are not a detector's, and where source and prompt do not go together;
    ValueError for a prompt that names nothing.
    """
    folder = Path(source).expanduser()
    if not folder.is_dir() and not _NAME.fullmatch(source):
        raise ModelError(f"detector {source}: there is no such folder")
    where = str(folder) if folder.is_dir() else source
    try:
        kind = AutoConfig.from_pretrained(where, local_files_only=True).model_type
    except (OSError, ValueError) as error:
        raise _not_loaded(where, error) from error
    if kind == "grounding-dino":
        if not prompt.strip():
            raise ModelError(
                f"detector {source} finds what a prompt names: give one, such as 'person, car'"
            )
        return TextDetector(where, prompt, device)
    if prompt.strip():
        raise ModelError(f"detector {source} takes no prompt: its classes are fixed")
    return TransformersDetector(where, device)


class TransformersDetector:
    """Any model of transformers for object detection: RT-DETR, D-FINE, DETR, YOLOS and others.

    source: a folder with the weights, config.json and preprocessor_config.json, or the name of a
    model that the machine's Hugging Face cache already holds; nothing is downloaded.
    classes: names of the labels. score_thr: boxes with less are left out; trackers have higher
    thresholds of their own.

    Raises ModelError where the files are not there, or are not those of a detector.
    """

    def __init__(self, source: str | Path, device: str = "cpu", score_thr: float = 0.1) -> None:
        disable_progress_bar()
        try:
            self._processor = AutoImageProcessor.from_pretrained(source, local_files_only=True)
            model = AutoModelForObjectDetection.from_pretrained(source, local_files_only=True)
        except (OSError, ValueError, ImportError) as error:  # the last: backbones of timm
            raise _not_loaded(source, error) from error
        self._model = model.to(device).eval()
        self.score_thr = score_thr
        names: dict[int, str] = self._model.config.id2label
        self.classes = tuple(names.get(label, "") for label in range(max(names, default=-1) + 1))

    @torch.inference_mode()
    def detect(self, frame_bgr: NDArray[np.uint8]) -> Detections:
        """Boxes in px of a (H, W, 3) uint8 BGR frame, inside of it, best first."""
        height, width = frame_bgr.shape[:2]
        rgb = np.ascontiguousarray(frame_bgr[..., ::-1])
        inputs = self._processor(images=rgb, return_tensors="pt").to(self._model.device)
        (found,) = self._processor.post_process_object_detection(
            self._model(**inputs), threshold=self.score_thr, target_sizes=[(height, width)]
        )
        boxes, scores, labels = (found[key].cpu().numpy() for key in ("boxes", "scores", "labels"))
        order = np.argsort(-scores, kind="stable")
        boxes = boxes.clip(0, np.array([width, height] * 2, np.float32))
        return Detections(boxes[order], scores[order], labels[order])


class TextDetector:
    """Grounding DINO on its own, with transformers' weights: finds what a prompt names.

    source: as for `load_transformers`, for example "IDEA-Research/grounding-dino-base". score_thr:
    boxes with less are left out. nms_iou: boxes overlapping a better one by more are dropped.
    """

    def __init__(
        self,
        source: str | Path,
        prompt: str | Sequence[str],
        device: str = "cpu",
        score_thr: float = 0.2,
        nms_iou: float = 0.5,
    ) -> None:
        self._model = load_transformers(source).to(device)
        self._model.nms_iou = nms_iou
        self._device = device
        self._preprocessing = Preprocessing(1333, 800, divisor=32)
        self.score_thr = score_thr
        self.set_prompt(prompt)

    @property
    def classes(self) -> tuple[str, ...]:
        return self._model.classes

    def set_prompt(self, prompt: str | Sequence[str]) -> tuple[str, ...]:
        """Look for these from the next frame on. Raises ValueError for a prompt without names."""
        return self._model.set_prompt(prompt)

    @torch.inference_mode()
    def detect(self, frame_bgr: NDArray[np.uint8]) -> Detections:
        """Boxes in px of a (H, W, 3) uint8 BGR frame, inside of it, best first."""
        image, geometry = self._preprocessing(frame_bgr, self._device)
        found = self._model.detect(self._model.backbone(image), geometry)
        return found[found.scores > self.score_thr]


def _not_loaded(source: str | Path, error: Exception) -> ModelError:
    reason = " ".join(str(error).split())[:300].rstrip(". ")
    remedy = ""
    if isinstance(error, OSError) and not Path(source).is_dir():
        reason = "it is neither a folder nor in the Hugging Face cache of this machine"
        remedy = f"; `hf download {source}` fetches it"
    return ModelError(f"{source} cannot be loaded as a detector of transformers: {reason}{remedy}")
