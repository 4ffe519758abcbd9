"""Images from files and to files, under any name that the system allows."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from masa_core.io.atomic import whole_file


def read_image(path: Path) -> NDArray[np.uint8]:
    """(H, W, 3) uint8 BGR, turned as its EXIF data say. Raises ValueError, OSError."""
    # Not cv2.imread: it cannot open every file name that the system allows.
    data = np.fromfile(path, np.uint8)
    try:
        image = cv2.imdecode(data, cv2.IMREAD_COLOR) if data.size else None
    except cv2.error as error:
        raise ValueError(f"{path} cannot be decoded: {error}") from error
    if image is None:
        raise ValueError(f"{path} is not an image that can be decoded")
    return np.asarray(image, np.uint8)


def write_image(path: Path, image: NDArray[np.uint8]) -> None:
    """Writes what the suffix says (a JPEG of quality 95); it appears when it is whole.

    Raises OSError.
    """
    jpeg = path.suffix.lower() in (".jpg", ".jpeg")
    coded, data = cv2.imencode(path.suffix, image, [cv2.IMWRITE_JPEG_QUALITY, 95] if jpeg else [])
    if not coded:
        raise OSError(f"{path} cannot be coded")
    with whole_file(path) as part:
        part.write_bytes(data.tobytes())
