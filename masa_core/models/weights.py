"""Where weights are: published, and in a folder of this machine."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from masa_core.runtime.protocol import ModelError

_MASA = "https://huggingface.co/dereksiyuanli/masa/resolve/main/"
_SAM = "https://dl.fbaipublicfiles.com/segment_anything/"


@dataclass(frozen=True)
class Published:
    """A file of weights: where it can be had, and its SHA-256 where that is known."""

    url: str
    sha256: str | None = None

    @property
    def file(self) -> str:
        return self.url.rsplit("/", 1)[1]


PUBLISHED = {
    "masa_r50": Published(
        _MASA + "masa_r50.pth",
        "082670efc6e8820eff8257f78ea14dfb52d6cdbe2910ecccf0901a74f4a0fd76",
    ),
    "masa_sam_vitb": Published(_MASA + "sam_vitb_masa.pth"),
    "masa_sam_vith": Published(_MASA + "sam_vith_masa.pth"),
    "masa_gdino": Published(_MASA + "gdino_masa.pth"),
    "masa_detic": Published(_MASA + "detic_masa.pth"),
    "sam_vitb": Published(_SAM + "sam_vit_b_01ec64.pth"),
    "sam_vith": Published(_SAM + "sam_vit_h_4b8939.pth"),
}


def weights_folder() -> Path:
    """$MASA_WEIGHTS where it is set, else ~/.cache/masa_ros/weights. It may not exist."""
    return Path(os.environ.get("MASA_WEIGHTS") or "~/.cache/masa_ros/weights").expanduser()


def find_weights(name: str, where: str | Path | None = None) -> Path:
    """The file with a model's weights: ``where`` if that is a file, else one in that folder.

    In a folder (by default `weights_folder`) a converted NAME.safetensors goes before the
    published file. Raises ModelError that says where to get the file and where to put it.
    """
    place = weights_folder() if where is None else Path(where).expanduser()
    if place.is_file():
        return place
    published = PUBLISHED[name]
    for file in (f"{name}.safetensors", published.file):
        if (place / file).is_file():
            return place / file
    raise ModelError(
        f"no weights for {name}: {place / published.file} is not there. They are published at "
        f"{published.url}; put the file there, name another folder in MASA_WEIGHTS, or run "
        f"'masa download {name}'"
    )
