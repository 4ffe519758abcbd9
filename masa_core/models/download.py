"""Fetching published weights: only ever when asked for by name."""

from __future__ import annotations

import hashlib
import os
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from tqdm import tqdm

from masa_core.models.weights import PUBLISHED, weights_folder
from masa_core.runtime.protocol import ModelError
from masa_core.wording import nearest

_BLOCK = 1 << 20  # bytes
_TIMEOUT_S = 60.0  # without any byte


def download(name: str, folder: Path | None = None) -> Path:
    """Fetch the published weights of a model into a folder (by default `weights_folder`).

    Shows a progress bar and checks the size and the SHA-256. The file appears only when it is
    whole. A file that is there already is left alone. Raises ModelError for an unknown name and
    for what came but is not what was published; OSError for network and disk.
    """
    if name not in PUBLISHED:
        raise ModelError(f"no weights of {name!r} are published{nearest(name, tuple(PUBLISHED))}")
    published = PUBLISHED[name]
    target = (folder or weights_folder()) / published.file
    if target.is_file():
        return target
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    try:
        digest = _fetch(published.url, part)
        if digest != published.sha256:
            raise ModelError(
                f"{published.url} has SHA-256 {digest}, not {published.sha256}: it is damaged or "
                "was replaced; fetch it by hand if you trust the new one"
            )
        os.replace(part, target)
    finally:
        part.unlink(missing_ok=True)
    return target


def _fetch(url: str, part: Path) -> str:
    """The SHA-256 of what came."""
    digest = hashlib.sha256()
    try:
        with urlopen(url, timeout=_TIMEOUT_S) as reply, part.open("wb") as file:
            size = int(reply.headers.get("Content-Length") or 0)
            bar = tqdm(total=size or None, unit="B", unit_scale=True, desc=url.rsplit("/", 1)[1])
            with bar:
                while block := reply.read(_BLOCK):
                    file.write(block)
                    digest.update(block)
                    bar.update(len(block))
            received = file.tell()
    except (URLError, HTTPException) as error:
        raise OSError(f"{url} cannot be fetched: {error}") from error
    if size and received != size:
        raise ModelError(f"{url}: {received} of {size} bytes came; try again")
    return digest.hexdigest()
