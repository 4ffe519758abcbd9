"""Where the files that come with the package lie: in a checkout, or where it was installed."""

from __future__ import annotations

from pathlib import Path

_CHECKOUT = Path(__file__).absolute().parents[1]  # links kept: an installation may be made of them


def share_path(name: str) -> Path:
    """A file or folder that is installed to ``share/masa_ros``: "config/tracker.yaml", "assets".

    Raises FileNotFoundError, with the folders looked in, where it is not there.
    """
    folders = [_CHECKOUT] if (_CHECKOUT / "package.xml").is_file() else []
    folders += [parent / "share" / "masa_ros" for parent in Path(__file__).absolute().parents]
    for folder in folders:
        if (folder / name).exists():
            return folder / name
    looked = [str(folder) for folder in folders if folder.is_dir()]
    raise FileNotFoundError(
        f"{name} did not come with this masa_ros: looked in {', '.join(looked) or 'no folder'}"
    )


def asset_path(name: str) -> Path:
    """A file or folder of ``assets``: "nanodet_masa" is the default bundle.

    Raises FileNotFoundError as `share_path`.
    """
    return share_path(f"assets/{name}")
