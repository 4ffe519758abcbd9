"""`masa demo`: a real drive, played through ROS 2 topics to the tracker node, and what came of it.

A player process publishes the drive at its real rate, the node's process tracks it, and this one
records /masa/tracks. Then it counts and draws what was recorded.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
from pathlib import Path

from masa_core.assets import share_path
from masa_core.io.atomic import write_text
from masa_core.io.source import SourceError
from masa_ros.private_domain import private_domain


def main(argv: list[str] | None = None) -> int:
    """0 when the drive was tracked; 1, with a sentence that says why, when it was not."""
    parser = argparse.ArgumentParser(prog="masa demo", description=__doc__)
    parser.add_argument(
        "--output", type=Path, default=Path("demo_output"), help="folder (default: demo_output)"
    )
    parser.add_argument("--frames", type=int, help="play the first N frames only", metavar="N")
    parser.add_argument(
        "--params-file", type=Path, help="parameters of the node (default: config/demo.yaml)"
    )
    args = parser.parse_args(argv)
    # As Ctrl-C, so that the processes started here end, too.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        args.output.mkdir(parents=True, exist_ok=True)
        with private_domain() as variables:
            os.environ.update(variables)
            _demo(args.output, args.params_file or share_path("config/demo.yaml"), args.frames)
    except KeyboardInterrupt:
        print("masa demo: interrupted", file=sys.stderr)
        return 130
    except (OSError, RuntimeError, SourceError) as error:
        print(f"masa demo: {error}", file=sys.stderr)
        return 1
    return 0


def _demo(folder: Path, params_file: Path, frames: int | None) -> None:
    # After the environment is set, and only for who runs the demo.
    from masa_ros.demo_drive import CLIP, write_drive
    from masa_ros.demo_pictures import draw_run
    from masa_ros.demo_report import make_report, read_recording
    from masa_ros.demo_run import RunError, play_and_record

    drive, count, fps = write_drive(folder, frames)
    name = f"{Path(CLIP).name}, {count} frames at {fps:g} fps"
    print(f"playing {name}, on ROS_DOMAIN_ID={os.environ['ROS_DOMAIN_ID']}", flush=True)
    run = play_and_record(folder, drive, count, params_file)
    recording = read_recording(run.bag)
    report = make_report(name, run.frames_sent, recording)
    write_text(folder / "report.json", json.dumps(report.as_json(), indent=2) + "\n")
    write_text(folder / "report.txt", f"{report}\n")
    title = f"{name}: {report.ids} ids, {report.latency_p50_ms:.0f} ms from image to tracks"
    draw_run(folder, drive, recording, run.offset_ns, title)
    print(f"\n{report}\n\n{_guide(folder)}", flush=True)
    if report.tracks == 0:
        raise RunError(f"not one object was tracked: see {folder / 'node.log'}")


def _guide(folder: Path) -> str:
    files = {
        "contact_sheet.png": "nine moments of the drive",
        "overlay.mp4": "the drive with its tracks",
        "report.json": "the figures above; as text in report.txt",
        "tracks": "the recorded /masa/tracks and /diagnostics, a rosbag2",
        "drive": "the drive that was played, a rosbag2",
    }
    return "\n".join(f"{folder / name!s:<32}{text}" for name, text in files.items())


if __name__ == "__main__":
    sys.exit(main())
