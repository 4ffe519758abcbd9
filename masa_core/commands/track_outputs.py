"""The outputs of `masa track`: their options, and all of them as one writer."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

from masa_core.commands import CommandError
from masa_core.io import Source, SourceFrame
from masa_core.io.class_names import ClassNames
from masa_core.io.overlay_video import CODECS, OverlayWriter
from masa_core.io.writers import MotWriter, ResultWriter, ScalabelWriter
from masa_core.structures import Tracks

if TYPE_CHECKING:
    from masa_core.io.bag_writer import BagWriter

_OPTIONS = ("mot", "scalabel", "bag", "overlay")


def add_output_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("outputs")
    group.add_argument("--mot", type=Path, metavar="FILE", help="MOTChallenge text")
    group.add_argument("--scalabel", type=Path, metavar="FILE", help="Scalabel (BDD100K) JSON")
    group.add_argument(
        "--bag", type=Path, metavar="FOLDER", help="new rosbag2 (mcap) with /masa/tracks"
    )
    group.add_argument(
        "--copy-input", action="store_true", help="put all topics of SOURCE, a bag, into --bag, too"
    )
    group.add_argument(
        "--overlay",
        type=Path,
        metavar="FILE",
        help="video with the tracks drawn in: .mp4 (MPEG-4 Part 2, for players) or .webm (VP8, "
        "for browsers too; slower)",
    )


def check_output_options(args: argparse.Namespace, source: Source) -> None:
    """Finds what is wrong with the outputs before any work is done, and sets the default one.

    Raises CommandError.
    """
    if not any(getattr(args, option) for option in _OPTIONS):
        args.mot = Path(f"{source.name}.mot.txt")
    if args.copy_input and (args.bag is None or source.kind != "bag"):
        raise CommandError("--copy-input needs --bag, and a bag as SOURCE")
    if args.overlay is not None and args.overlay.suffix.lower() not in CODECS:
        raise CommandError(f"--overlay {args.overlay}: it must end in {' or '.join(CODECS)}")
    seen = {args.source.resolve(): "SOURCE"}
    for option in _OPTIONS:
        path = getattr(args, option)
        if path is None:
            continue
        if not path.parent.is_dir():
            raise CommandError(f"--{option} {path}: there is no folder {path.parent}")
        if option == "bag" and path.exists():
            raise CommandError(f"--bag {path} exists; a bag is not written over")
        if path.is_dir():
            raise CommandError(f"--{option} {path} is a folder; name a file")
        other = seen.setdefault(path.resolve(), f"--{option}")
        if other != f"--{option}":
            raise CommandError(f"--{option} {path} would overwrite {other}")


class Outputs:
    """Every output that was asked for. The `with` block ends with whole outputs, or with none.

    They are kept where at least one frame was tracked, whatever ended the work.
    """

    def __init__(
        self, args: argparse.Namespace, source: Source, model_name: str, names: ClassNames
    ) -> None:
        self._writers: list[ResultWriter] = []
        self._bag: BagWriter | None = None
        self._finished: list[ResultWriter] = []
        self._frames = 0
        try:
            self._open(args, source, model_name, names)
        except BaseException:
            self._discard()
            raise

    @property
    def paths(self) -> list[Path]:
        """What is in its place."""
        return [writer.path for writer in self._writers if writer in self._finished]

    @property
    def not_copied(self) -> dict[str, str]:
        """Topics that --copy-input could not copy, with the reason."""
        return {} if self._bag is None else self._bag.not_copied

    def write(self, frame: SourceFrame, tracks: Tracks) -> None:
        for writer in self._writers:
            with _named(writer.path):
                writer.write(frame, tracks)
        self._frames += 1

    def source_ended(self) -> None:
        """Tell that every frame was read: what a bag holds after its last image is copied, too."""
        if self._bag is not None:
            self._bag.copy_rest()

    def __enter__(self) -> Outputs:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if not self._frames:
            self._discard()
            return
        with ExitStack() as stack:  # closes all, even if one fails
            for writer in self._writers:
                stack.callback(self._finish, writer)

    def _finish(self, writer: ResultWriter) -> None:
        with _named(writer.path):
            writer.close()
        self._finished.append(writer)

    def _discard(self) -> None:
        for writer in self._writers:
            writer.discard()

    def _open(
        self, args: argparse.Namespace, source: Source, model_name: str, names: ClassNames
    ) -> None:
        if args.mot is not None:
            self._writers.append(MotWriter(args.mot))
        if args.scalabel is not None:
            self._writers.append(ScalabelWriter(args.scalabel, source.name, names.words))
        if args.overlay is not None:
            self._writers.append(OverlayWriter(args.overlay, source.fps, names.words))
        if args.bag is not None:
            from masa_core.io.bag_writer import BagWriter

            copy_from = args.source if args.copy_input else None
            self._bag = BagWriter(args.bag, names, model_name, copy_from)
            self._writers.append(self._bag)


@contextmanager
def _named(path: Path) -> Iterator[None]:
    """Says which output it was that the system would not write any further."""
    try:
        yield
    except OSError as error:
        if error.errno is None or error.filename is not None:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from error
