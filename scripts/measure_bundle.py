"""Measures a bundle on PETS09-S2L1: recall, precision, retrieval of the same person, and speed.

    python scripts/measure_bundle.py PETS_FOLDER assets/nanodet_masa --given nanodet_g.onnx

PETS_FOLDER holds vtest.avi and gt.txt (MOTChallenge; frame 1 is the first of the video). With
--given, the graph that NanoDet-G came in is measured beside it, the frames stretched to 416x416.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from masa_core import Detections
from masa_core.detectors import decode
from masa_core.runtime import Model
from masa_core.runtime.ort import OrtModel
from masa_core.runtime.session import open_session
from masa_core.tracking.association import bisoftmax, box_iou, cosine

IOU, SCORE = 0.5, 0.5  # of a detection that counts
GAPS = {"0.5 s": 5, "2.5 s": 25, "10 s": 100}  # in frames of the video, 10 a second
EVERY = 5  # frames from one look at the embeddings to the next
MATCH = 0.5  # match_score_thr of the tracker's rule
BOXES, ROUNDS = 20, 100  # of the timing


class Scene(NamedTuple):
    """One frame, and who is where in it."""

    number: int
    frame: NDArray[np.uint8]
    ids: NDArray[np.int64]
    boxes: NDArray[np.float32]  # (N, 4) xyxy


class Persons(NamedTuple):
    """The persons of one frame, as the tracker's memory would hold them."""

    ids: NDArray[np.int64]
    embeddings: NDArray[np.float32]


class GivenDetector:
    """The graph as it was given: 416x416, six outputs."""

    def __init__(self, path: Path, model: OrtModel, threads: int | None) -> None:
        self._session = open_session(path, "cpu", threads)
        self._bundle = model.bundle

    def detect(self, frame_bgr: NDArray[np.uint8]) -> Detections:
        image = cv2.dnn.blobFromImage(frame_bgr, 1.0, (416, 416), self._bundle.image.mean)
        image /= np.array(self._bundle.image.std, np.float32).reshape(3, 1, 1)
        names = [f"Identity{end}" for end in ("", "_1", "_2", "_3", "_4", "_5")]
        outputs = self._session.run(names, {"input_1": image})
        tensors = {
            "scores": np.concatenate(outputs[:3], axis=1),
            "distances": np.concatenate(outputs[3:], axis=1),
        }
        found = decode(tensors, self._bundle.detector, 416, 416)
        found.boxes *= np.array([frame_bgr.shape[1], frame_bgr.shape[0]] * 2, np.float32) / 416
        return found


def scenes(folder: Path) -> Iterator[Scene]:
    rows = np.loadtxt(folder / "gt.txt", delimiter=",")
    rows[:, 4:6] += rows[:, 2:4]
    capture = cv2.VideoCapture(str(folder / "vtest.avi"))
    for number in range(1, int(rows[:, 0].max()) + 1):
        found, frame = capture.read()
        if not found:
            raise SystemExit(f"{folder / 'vtest.avi'} ends before frame {number} of gt.txt")
        here = rows[rows[:, 0] == number]
        yield Scene(number, frame, here[:, 1].astype(np.int64), here[:, 2:6].astype(np.float32))


def hits(detections: Detections, truth: NDArray[np.float32], person: int) -> tuple[int, int]:
    """How many persons were found, and how many detections there are."""
    detections = detections[(detections.scores > SCORE) & (detections.labels == person)]
    overlap = box_iou(detections.boxes, truth)
    found = 0
    for row in range(len(detections)):  # best first, each takes the person it overlaps most
        if len(truth) and overlap[row].max() >= IOU:
            overlap[:, overlap[row].argmax()] = 0
            found += 1
    return found, len(detections)


def report_detection(
    name: str, detect: Callable[[NDArray[np.uint8]], Detections], folder: Path, person: int
) -> None:
    counts = np.zeros(3)
    for scene in scenes(folder):
        counts += (*hits(detect(scene.frame), scene.boxes, person), len(scene.boxes))
    found, given, true = counts
    print(f"{name}: recall {found / true:.3f}, precision {found / given:.3f} of {true:.0f} persons")


def report_retrieval(model: Model, folder: Path) -> None:
    seen: dict[int, Persons] = {}
    for scene in scenes(folder):
        if scene.number % EVERY == 1 and len(scene.ids):
            features = model.encode(scene.frame)
            seen[scene.number] = Persons(scene.ids, model.embed(features, scene.boxes))
    for name, gap in GAPS.items():
        pairs = [(seen[at], seen[at + gap]) for at in seen if at + gap in seen]
        rank1, matched, mistaken = np.mean(np.concatenate([_retrieve(*pair) for pair in pairs]), 0)
        print(
            f"{name} later: rank-1 {rank1:.3f}; by the tracker's rule {matched:.3f} find their own "
            f"track, and {mistaken:.3f} would take another's if their own were gone"
        )


def _retrieve(then: Persons, now: Persons) -> NDArray[np.float64]:
    """For each person seen then and now: found by cosine, by the rule, wrongly by the rule."""
    results = []
    nearest = cosine(then.embeddings, now.embeddings).argmax(axis=1)
    rule = _rule(now.embeddings, then.embeddings)
    for row in np.flatnonzero(np.isin(now.ids, then.ids)):
        own = now.ids[row] == then.ids
        others = _rule(now.embeddings, then.embeddings[~own])[row]
        results.append(
            (
                now.ids[nearest[own][0]] == now.ids[row],
                own[rule[row].argmax()] and rule[row].max() > MATCH,
                others.max(initial=0) > MATCH,
            )
        )
    return np.array(results, np.float64).reshape(-1, 3)


def _rule(detections: NDArray[np.float32], tracks: NDArray[np.float32]) -> NDArray[np.float32]:
    return (bisoftmax(detections, tracks) + cosine(detections, tracks)) / 2


def report_speed(model: OrtModel, given: GivenDetector | None, folder: Path) -> None:
    frame = next(scenes(folder)).frame
    features = model.encode(frame)
    random = np.random.default_rng(0)
    corner = random.uniform(0, 500, (BOXES, 2))
    boxes = np.concatenate((corner, corner + random.uniform(30, 120, (BOXES, 2))), axis=1)
    boxes = boxes.astype(np.float32)
    stages: dict[str, Callable[[], object]] = {
        "encode": lambda: model.encode(frame),
        "detect": lambda: model.detect(features),
        f"embed {BOXES} boxes": lambda: model.embed(features, boxes),
        "encode and detect": lambda: model.detect(model.encode(frame)),
    }
    if model.has_masks:
        stages[f"masks of {BOXES} boxes"] = lambda: model.masks(features, boxes)
    if given is not None:
        stages["given graph, encode and detect"] = lambda: given.detect(frame)
    times: dict[str, list[float]] = {name: [] for name in stages}
    for _ in range(ROUNDS):  # in turns, so that other load falls on all alike
        for name, run in stages.items():
            begin = time.perf_counter()
            run()
            times[name].append(1e3 * (time.perf_counter() - begin))
    for name, values in times.items():
        print(f"{name}: {np.median(values):.1f} ms")
    if given is not None:
        ratio = np.divide(times["encode and detect"], times["given graph, encode and detect"])
        print(f"time of the bundle / time of the given graph: {np.median(ratio):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("pets", type=Path, help="folder with vtest.avi and gt.txt")
    parser.add_argument("bundle", type=Path)
    parser.add_argument("--given", type=Path, help="nanodet_g.onnx")
    parser.add_argument("--threads", type=int, default=None)
    args = parser.parse_args()
    model = OrtModel(args.bundle, threads=args.threads)
    person = model.classes.index("person")
    given = GivenDetector(args.given, model, args.threads) if args.given else None

    report_detection("bundle", lambda frame: model.detect(model.encode(frame)), args.pets, person)
    if given is not None:
        report_detection("given graph", given.detect, args.pets, person)
    report_retrieval(model, args.pets)
    report_speed(model, given, args.pets)


if __name__ == "__main__":
    main()
