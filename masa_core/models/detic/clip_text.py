"""Class names to the text embeddings that Detic's classifier compares with (CLIP ViT-B/32)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from transformers import CLIPTextModelWithProjection, CLIPTokenizer

from masa_core.runtime.protocol import ModelError


@torch.inference_mode()
def embed_names(names: Sequence[str], clip: str | Path = "openai/clip-vit-base-patch32") -> Tensor:
    """(C, 512) float32, one row a name, for `Detic.set_vocabulary` or a .npy file.

    clip: a folder with CLIP ViT-B/32 in transformers' format, or its name in the Hugging Face
    cache of this machine; nothing is downloaded. Raises ModelError where it is not there.
    """
    try:
        tokenizer = CLIPTokenizer.from_pretrained(clip, local_files_only=True)
        model = CLIPTextModelWithProjection.from_pretrained(clip, local_files_only=True).eval()
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(
            f"{clip} is neither a folder with CLIP nor in the Hugging Face cache of this machine; "
            f"`hf download {clip}` fetches it"
        ) from error
    rows = []
    for name in names:
        # Detic's class embeddings were made with this prompt: a name, no full stop
        tokens = tokenizer(f"a {name.replace('_', ' ')}", truncation=True, return_tensors="pt")
        rows.append(model(**tokens).text_embeds[0])
    return torch.stack(rows).float()
