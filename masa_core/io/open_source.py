"""From a path to a source of frames: which kind it is, and whether the arguments fit it."""

from __future__ import annotations

from pathlib import Path

from masa_core.io.source import BAG_SUFFIXES, Source, SourceError


def open_source(path: str | Path, topic: str | None = None, fps: float | None = None) -> Source:
    """A video file, a folder of images, or a rosbag2 (folder, .mcap or .db3).

    topic: which images of a bag; needed where it has several. fps: frame rate at which a folder
    of images was taken (30 if None), since files carry no stamps.

    Raises SourceError when there is nothing to read, or an argument does not fit the source.
    """
    path = Path(path)
    if not path.exists():
        raise SourceError(f"{path} does not exist")
    kind = _kind(path)
    if topic is not None and kind != "bag":
        raise SourceError(f"{path} is a {kind}: only bags have topics")
    if fps is not None and kind != "folder":
        raise SourceError(f"{path} is a {kind} and has its own stamps: no frame rate is needed")
    if kind == "bag":
        from masa_core.io.bag_source import BagSource

        return BagSource(path, topic)
    if kind == "folder":
        from masa_core.io.folder import FolderSource

        return FolderSource(path, fps)
    from masa_core.io.video import VideoSource

    return VideoSource(path)


def _kind(path: Path) -> str:
    if path.is_dir():
        is_bag = any(file.suffix in BAG_SUFFIXES for file in path.iterdir())
        return "bag" if is_bag or (path / "metadata.yaml").exists() else "folder"
    if path.suffix == ".bag":
        raise SourceError(
            f"{path} is a ROS 1 bag: convert it with `rosbags-convert --src {path} --dst NEW`"
        )
    return "bag" if path.suffix in BAG_SUFFIXES else "video"
