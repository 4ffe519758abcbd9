"""A detector by name, to find boxes in place of the model's own."""

from __future__ import annotations

from masa_core.runtime.protocol import Detector, ModelError


def load_detector(source: str, device: str = "cpu", prompt: str = "") -> Detector:
    """A detector of transformers: RT-DETR, D-FINE, DETR, Grounding DINO and others.

    source: the folder with its files, or its name (OWNER/NAME) in the Hugging Face cache of this
    machine; nothing is downloaded. prompt: what Grounding DINO looks for, such as "person, car".

    Raises ModelError or ValueError, whose message is one sentence with the remedy.
    """
    try:
        from masa_core.detectors.from_transformers import open_detector
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "torchvision", "transformers", "safetensors"):
            raise
        raise ModelError(
            f"detector {source} needs {error.name}, which is not installed: "
            "pip install 'masa_ros[torch]'"
        ) from error
    return open_detector(source, device, prompt)
