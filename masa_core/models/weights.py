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
    """A file of weights: where it can be had, and its SHA-256 as its publisher or others tell."""

    url: str
    sha256: str

    @property
    def file(self) -> str:
        return self.url.rsplit("/", 1)[1]


PUBLISHED = {
    "masa_r50": Published(
        _MASA + "masa_r50.pth",
        "082670efc6e8820eff8257f78ea14dfb52d6cdbe2910ecccf0901a74f4a0fd76",
    ),
    "masa_sam_vitb": Published(
        _MASA + "sam_vitb_masa.pth",
        "441c05bf9519632fead1afd5200bb6a4f13b4a41c58f4428024490b4c2bd777c",
    ),
    "masa_sam_vith": Published(
        _MASA + "sam_vith_masa.pth",
        "db154de39c2e48059fe94c5cd6f8906f457467a0b3a4ef48f39a4f01c3aeba7b",
    ),
    "masa_gdino": Published(
        _MASA + "gdino_masa.pth",
        "15f4380ae4b17ac98c80a9a56bf6e569bac5bc21592906ccd3945a97438424ad",
    ),
    "masa_detic": Published(
        _MASA + "detic_masa.pth",
        "10c19938af1b70c8bea1ca4a49139198abf2c2cc77c42e8372bfeb0a4e461879",
    ),
    "sam_vitb": Published(
        _SAM + "sam_vit_b_01ec64.pth",
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
    ),
    "sam_vith": Published(
        _SAM + "sam_vit_h_4b8939.pth",
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
    ),
    "mobile_sam": Published(
        "https://raw.githubusercontent.com/ChaoningZhang/MobileSAM/master/weights/mobile_sam.pt",
        "6dbb90523a35330fedd7f1d3dfc66f995213d81b29a5ca8108dbcdd4e37d6c2f",
    ),
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
