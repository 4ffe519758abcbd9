#!/usr/bin/env python3
"""Score the trackers, and masa_plus without each of its parts, on one clip at several frame rates.

    python scripts/measure_tracker.py PETS_FOLDER [--model BUNDLE] [--reid REID.onnx] [--jitter N]
        [--trackers NAME...]

PETS_FOLDER holds vtest.avi, gt.txt and dets/pets09_s2l1/{oracle,nanodet}.txt (MOT format). All
trackers get the same boxes and embeddings. --reid: embeddings of a person re-identification model,
(1, 3, 256, 128) RGB, instead of the bundle's. --jitter: scores are means over so many seeds of
boxes that are jittered (3 % of their size) and missed (5 %), with the spread (standard deviation)
of HOTA. --trackers: only these rows of the table.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import onnxruntime
from tqdm import tqdm

import masa_core
from masa_core.evaluation import evaluate
from masa_core.evaluation.peers import PEERS, PeerTracker
from masa_core.structures import Detections
from masa_core.tracking import Tracker, TrackerConfig
from masa_core.tracking.camera_motion import CameraMotion

RATE_HZ = 10  # of the clip
STEPS = (1, 5, 10)  # every frame, every fifth, every tenth: 10, 2 and 1 Hz
MIN_SCORE = 0.3
FIGURES = ("HOTA", "AssA", "IDF1", "IDSW")
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def plus(**overrides: Any) -> Callable[[float], Any]:
    return lambda rate: Tracker(TrackerConfig.preset("masa_plus", **overrides))


def official(**overrides: Any) -> Callable[[float], Any]:
    return lambda rate: Tracker(TrackerConfig.preset("masa_tao", **overrides))


def peer(name: str) -> Callable[[float], Any]:
    return lambda rate: PeerTracker(name, frame_rate=rate)


TRACKERS = {
    "masa_plus": plus(),
    "- without appearance": plus(use_appearance=False),
    "- without motion": plus(use_motion=False),
    "- without camera motion": plus(camera_motion=False),
    "- without gallery": plus(gallery=False),
    "- with history projection": plus(history_projection=True),
    "- without coasting": plus(coast_s=0.0),
    "- with 2 s of memory": plus(memory_s=2.0),
    "masa_tao, same thresholds": official(init_score_thr=0.5, obj_score_thr=0.1),
    "masa_tao, demo thresholds": official(init_score_thr=0.1, obj_score_thr=0.01),
    **{name: peer(name) for name in PEERS},
}


class Clip(NamedTuple):
    """Detections (N, 7), their embeddings (N, D), and the motion of the camera to each frame that
    is used: one in step."""

    rows: np.ndarray
    embeddings: np.ndarray
    motions: list[np.ndarray]
    step: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--model", default="nanodet_masa")
    parser.add_argument("--reid", type=Path)
    parser.add_argument("--jitter", type=int, default=0, metavar="SEEDS")
    parser.add_argument("--trackers", nargs="+", choices=list(TRACKERS), default=list(TRACKERS))
    args = parser.parse_args()
    sets = {kind: read_detections(args.folder, kind) for kind in ("oracle", "nanodet")}
    embeddings, motions = look(args.folder / "vtest.avi", sets, args.model, args.reid)
    print("| tracker | boxes |" + "".join(f" {RATE_HZ / step:g} Hz |" for step in STEPS))
    print("|---|---|" + "---|" * len(STEPS))
    for name in args.trackers:
        for kind, rows in sets.items():
            clips = [Clip(rows, embeddings[kind], motions[kind, step], step) for step in STEPS]
            cells = [cell(args.folder, TRACKERS[name], clip, args.jitter) for clip in clips]
            print(f"| {name} | {kind} | " + " | ".join(cells) + " |", flush=True)
    print(f"\n{' / '.join(FIGURES)}")


def read_detections(folder: Path, kind: str) -> np.ndarray:
    """Rows of frame, -1, x, y, width, height, score, by frame."""
    rows = np.loadtxt(folder / "dets" / "pets09_s2l1" / f"{kind}.txt", delimiter=",")
    rows = rows[rows[:, 6] >= MIN_SCORE]
    return rows[np.argsort(rows[:, 0], kind="stable")]


def boxes_of(rows: np.ndarray) -> np.ndarray:
    return np.concatenate([rows[:, 2:4], rows[:, 2:4] + rows[:, 4:6]], axis=1).astype(np.float32)


def look(
    video: Path, sets: dict[str, np.ndarray], model_name: str, reid: Path | None
) -> tuple[dict[str, np.ndarray], dict[tuple[str, int], list[np.ndarray]]]:
    """The embeddings by kind of boxes, and the camera's motions by kind of boxes and step."""
    model = masa_core.load_model(model_name)
    session = reid and onnxruntime.InferenceSession(str(reid))
    found: dict[str, list[np.ndarray]] = {kind: [] for kind in sets}
    cameras = {(kind, step): CameraMotion() for kind in sets for step in STEPS}
    motions: dict[tuple[str, int], list[np.ndarray]] = {key: [] for key in cameras}
    capture = cv2.VideoCapture(str(video))
    for number in tqdm(range(1, int(capture.get(cv2.CAP_PROP_FRAME_COUNT)) + 1), "embeddings"):
        frame = capture.read()[1]
        features = None if session else model.encode(frame)
        for kind, rows in sets.items():
            boxes = boxes_of(rows[rows[:, 0] == number])
            if len(boxes):
                looks = (
                    reid_looks(session, frame, boxes) if session else model.embed(features, boxes)
                )
                found[kind].append(looks)
            for step in STEPS:
                if (number - 1) % step == 0:
                    motions[kind, step].append(cameras[kind, step].to(frame, boxes))
    return {kind: np.concatenate(parts) for kind, parts in found.items()}, motions


def reid_looks(session: Any, frame: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    name = session.get_inputs()[0].name
    looks = []
    for x1, y1, x2, y2 in np.rint(boxes).astype(int):
        crop = frame[max(y1, 0) : max(y2, 2), max(x1, 0) : max(x2, 2)]
        pixels = cv2.resize(crop, (128, 256))[:, :, ::-1] / np.float32(255)
        pixels = ((pixels - IMAGENET_MEAN) / IMAGENET_STD).astype(np.float32)
        looks.append(session.run(None, {name: pixels.transpose(2, 0, 1)[None]})[0][0])
    return np.stack(looks)


def cell(folder: Path, make: Callable[[float], Any], clip: Clip, seeds: int) -> str:
    runs = []
    for seed in range(max(seeds, 1)):
        generator = np.random.default_rng(seed) if seeds else None
        runs.append(score(folder, make(RATE_HZ / clip.step), clip, generator))
    means, spread = np.mean(runs, axis=0), np.std(runs, axis=0)
    values = [
        f"{mean:.0f}" if f == "IDSW" else f"{mean:.1f}"
        for f, mean in zip(FIGURES, means, strict=True)
    ]
    if seeds:
        values[0] += f" ± {spread[0]:.1f}"
    return " / ".join(values)


def score(
    folder: Path, tracker: Any, clip: Clip, generator: np.random.Generator | None
) -> list[float]:
    rows, embeddings, motions, step = clip
    truth = np.loadtxt(folder / "gt.txt", delimiter=",")
    lines = []
    frames = range(1, int(truth[:, 0].max()) + 1, step)
    for index, number in enumerate(frames, start=1):
        chosen = rows[:, 0] == number
        seen, looks = rows[chosen], embeddings[chosen]
        boxes = boxes_of(seen)
        if generator is not None:
            boxes += generator.normal(0, 0.03, boxes.shape) * np.tile(seen[:, 4:6], 2)
            kept = generator.uniform(size=len(seen)) > 0.05
            seen, boxes, looks = seen[kept], boxes[kept], looks[kept]
        found = Detections(boxes, seen[:, 6], np.zeros(len(seen), np.int64))
        stamp_ns = round((number - 1) * 1e9 / RATE_HZ)
        moved = [] if isinstance(tracker, PeerTracker) else [motions[index - 1]]
        tracks = tracker.update(found, looks, stamp_ns, *moved)
        for track, (x1, y1, x2, y2) in zip(tracks.ids, tracks.boxes, strict=True):
            lines.append(f"{index},{track + 1},{x1},{y1},{x2 - x1},{y2 - y1},1,-1,-1,-1")
    kept = truth[np.isin(truth[:, 0], frames)]
    kept[:, 0] = (kept[:, 0] - 1) // step + 1
    with tempfile.TemporaryDirectory() as place:
        sequence = Path(place, "gt", "PETS", "gt")
        sequence.mkdir(parents=True)
        np.savetxt(sequence / "gt.txt", kept, delimiter=",", fmt="%g")
        ini = f"[Sequence]\nname=PETS\nseqLength={len(frames)}\n"
        (sequence.parent / "seqinfo.ini").write_text(ini)
        results = Path(place, "PETS.txt")
        results.write_text("\n".join(lines))
        figures = evaluate(Path(place, "gt"), Path(place), "mot")
    return [figures[name] for name in FIGURES]


if __name__ == "__main__":
    main()
