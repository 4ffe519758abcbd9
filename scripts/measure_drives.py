#!/usr/bin/env python3
"""Score masa_plus, with and without its parts, on synthetic drives of several seeds.

    python scripts/measure_drives.py [--seeds N...] [--shake X...] [--detections noisy|perfect]
        [--seconds S] [--model BUNDLE] [--reid REID.onnx] [--trackers NAME...]

Drives are those of `masa drive` at 10 Hz, of which every frame, every fifth and every tenth is
tracked. All objects count as one class, in all frames that are tracked. Scores are means over the
seeds, with the spread (standard deviation) of HOTA. --reid: as of measure_tracker.py.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnxruntime
from measure_tracker import FIGURES, reid_looks
from tqdm import tqdm
from trackeval.metrics import CLEAR, HOTA, Identity

import masa_core
from masa_core.evaluation.drive.detector import NoisyDetector, PerfectDetector
from masa_core.evaluation.drive.settings import DriveSettings
from masa_core.evaluation.drive.write import drive_frames
from masa_core.structures import Detections
from masa_core.tracking import Tracker, TrackerConfig
from masa_core.tracking.association import box_iou
from masa_core.tracking.camera_motion import CameraMotion

RATE_HZ = 10
STEPS = (1, 5, 10)
TRACKERS: dict[str, dict[str, Any]] = {
    "masa_plus": {},
    "- without camera motion": {"camera_motion": False},
    "- without gallery": {"gallery": False},
    "- with history projection": {"history_projection": True},
    "- with it, without gallery": {"history_projection": True, "gallery": False},
}
QUIET = {"THRESHOLD": 0.5, "PRINT_CONFIG": False}


class Moment(NamedTuple):
    """A frame: its true ids (N,) and boxes (N, 4), what was detected, embeddings (M, D), and by
    step the motion of the camera from the frame that was tracked before."""

    stamp_ns: int
    ids: list[int]
    boxes: np.ndarray
    detections: Detections
    embeddings: np.ndarray
    motions: dict[int, np.ndarray]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--shake", type=float, nargs="+", default=[1.0])
    parser.add_argument("--detections", choices=("noisy", "perfect"), default="noisy")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--model", default="nanodet_masa")
    parser.add_argument("--reid", type=Path)
    parser.add_argument("--trackers", nargs="+", choices=list(TRACKERS), default=list(TRACKERS))
    args = parser.parse_args()
    print("| tracker | shake |" + "".join(f" {RATE_HZ / step:g} Hz |" for step in STEPS))
    print("|---|---|" + "---|" * len(STEPS))
    for shake in args.shake:
        drives = [list(look(args, seed, shake)) for seed in args.seeds]
        for name in args.trackers:
            cells = []
            for step in STEPS:
                config = TrackerConfig.preset("masa_plus", **TRACKERS[name])
                runs = [score(config, drive[::step], step) for drive in drives]
                hota, *others = np.mean(runs, axis=0)
                values = [f"{hota:.1f} ± {np.std(runs, axis=0)[0]:.1f}"]
                cells.append(
                    " / ".join([*values, *(f"{v:.1f}" for v in others[:2]), f"{others[2]:.0f}"])
                )
            print(f"| {name} | {shake:g} | " + " | ".join(cells) + " |", flush=True)
    print(f"\n{' / '.join(FIGURES)}")


def look(args: argparse.Namespace, seed: int, shake: float) -> Any:
    """The moments of a drive."""
    settings = DriveSettings(
        seed=seed, seconds=args.seconds, camera_hz=RATE_HZ, truth_hz=RATE_HZ, shake=shake
    )
    random = np.random.default_rng([seed, 2])
    noisy = args.detections == "noisy"
    detector = (
        NoisyDetector(settings.size, 1 / RATE_HZ, random) if noisy else PerfectDetector(random)
    )
    model = masa_core.load_model(args.model)
    session = args.reid and onnxruntime.InferenceSession(str(args.reid))
    cameras = {step: CameraMotion() for step in STEPS}
    frames = tqdm(drive_frames(settings), f"seed {seed}, shake {shake:g}", settings.frames)
    for index, frame in enumerate(frames):
        found = detector.find(frame.labels)
        looks = np.zeros((0, 0), np.float32)
        if len(found) and session:
            looks = reid_looks(session, frame.image, found.boxes)
        elif len(found):
            looks = model.embed(model.encode(frame.image), found.boxes)
        motions = {
            step: camera.to(frame.image, found.boxes)
            for step, camera in cameras.items()
            if index % step == 0
        }
        boxes = np.array([label.box for label in frame.labels], float).reshape(-1, 4)
        ids = [label.id for label in frame.labels]
        yield Moment(frame.stamp_ns, ids, boxes, found, looks, motions)


def score(config: TrackerConfig, moments: list[Moment], step: int) -> list[float]:
    """HOTA, AssA and IDF1 in percent, and identity switches."""
    tracker = Tracker(config)
    true, told, overlaps = Numbers(), Numbers(), []
    for moment in moments:
        tracks = tracker.update(
            moment.detections, moment.embeddings, moment.stamp_ns, moment.motions[step]
        )
        true.add(moment.ids)
        told.add(tracks.ids.tolist())
        overlaps.append(box_iou(moment.boxes, tracks.boxes.astype(float)))
    data = {
        "num_timesteps": len(moments),
        "gt_ids": true.by_frame,
        "tracker_ids": told.by_frame,
        "similarity_scores": overlaps,
        "num_gt_ids": len(true.numbers),
        "num_tracker_ids": len(told.numbers),
        "num_gt_dets": sum(map(len, true.by_frame)),
        "num_tracker_dets": sum(map(len, told.by_frame)),
    }
    hota = HOTA().eval_sequence(data)
    idf1 = Identity(QUIET).eval_sequence(data)["IDF1"]
    switches = CLEAR(QUIET).eval_sequence(data)["IDSW"]
    return [100 * hota["HOTA"].mean(), 100 * hota["AssA"].mean(), 100 * idf1, switches]


class Numbers:
    """Ids of any size as numbers from 0 on, frame by frame."""

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}
        self.by_frame: list[np.ndarray] = []

    def add(self, ids: list[int]) -> None:
        self.by_frame.append(
            np.array([self.numbers.setdefault(i, len(self.numbers)) for i in ids], np.int64)
        )


if __name__ == "__main__":
    main()
