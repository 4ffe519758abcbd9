"""Synthetic drives as files: what is in them, and that it agrees."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from fakes import write_video

from masa_core.evaluation import evaluate
from masa_core.evaluation.drive import Backdrop, DriveSettings, drive_frames, write_drive
from masa_core.io import open_source
from masa_core.io.bag import BagReader
from masa_core.io.coco_rle import from_coco_rle
from masa_core.io.message_stamps import header_stamp_ns
from masa_core.masks import paste_mask
from masa_core.structures import Mask

SIZE = (320, 180)
PERFECT = DriveSettings(seed=3, seconds=3, size=SIZE, camera_hz=10, truth_hz=5)


@pytest.fixture(scope="module")
def backdrop(tmp_path_factory: pytest.TempPathFactory) -> Backdrop:
    return Backdrop(write_video(tmp_path_factory.mktemp("road") / "road.avi", 60))


@pytest.fixture(scope="module")
def settings(backdrop: Backdrop) -> DriveSettings:
    return replace(PERFECT, background=backdrop)


@pytest.fixture(scope="module")
def drive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """On the shipped clip."""
    path = tmp_path_factory.mktemp("drives") / "drive"
    write_drive(path, PERFECT)
    return path


def truth_frames(path: Path) -> list[dict[str, Any]]:
    return json.loads((path / "truth.json").read_text())["frames"]


def masks_of(frame: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Mask]]:
    for label in frame["labels"]:
        yield label, from_coco_rle(label["rle"])


def messages(path: Path, topic: str) -> list[Any]:
    with BagReader(path) as reader:
        return [reader.decode(message) for message in reader.messages(topic)]


def test_the_truth_is_the_same_for_the_same_seed_alone(
    settings: DriveSettings, tmp_path: Path
) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        folder = tmp_path / name
        folder.mkdir()
        write_drive(folder / "drive", replace(settings, seed=seed, seconds=1))
    a, b, c = ((tmp_path / name / "drive" / "truth.json").read_bytes() for name in "abc")
    assert a == b != c
    frames = [messages(tmp_path / name / "drive", "/detections") for name in "ab"]
    for one, other in zip(*frames, strict=True):
        assert [d.x_min for d in one.detections] == [d.x_min for d in other.detections]


def test_the_truth_is_scalabel_with_exact_masks(drive: Path) -> None:
    frames = truth_frames(drive)
    assert [frame["frameIndex"] for frame in frames] == list(range(0, 30, 2))
    ids: dict[str, str] = {}
    occluded = truncated = 0
    for frame in frames:
        width, height = frame["size"]["width"], frame["size"]["height"]
        assert (width, height) == SIZE and frame["videoName"] == "drive"
        covered = np.zeros((height, width), int)
        for label, mask in masks_of(frame):
            box = (mask.x, mask.y, mask.x + mask.width, mask.y + mask.height)
            assert tuple(label["box2d"].values()) == box
            covered += paste_mask(mask, height, width)
            assert ids.setdefault(label["id"], label["category"]) == label["category"]
            occluded += label["attributes"]["occluded"]
            truncated += label["attributes"]["truncated"]
        assert covered.max(initial=0) <= 1  # every pixel is one object's
        assert len({label["id"] for label in frame["labels"]}) == len(frame["labels"])
    assert len(ids) >= 8 and occluded and truncated
    assert {"car", "pedestrian"} <= set(ids.values())


def test_images_detections_and_truth_have_the_same_stamps(drive: Path) -> None:
    with open_source(drive) as source:
        frames = list(source)
    assert source.topic == "/camera/image_raw/compressed"
    assert {frame.image.shape for frame in frames} == {(SIZE[1], SIZE[0], 3)}
    stamps = [frame.stamp_ns for frame in frames]
    assert np.diff(stamps).tolist() == [100_000_000] * 29
    assert [header_stamp_ns(m) for m in messages(drive, "/detections")] == stamps
    for frame in truth_frames(drive):
        stamp_ns = stamps[frame["frameIndex"]]
        assert frame["attributes"]["stamp_ns"] == frame["name"] == str(stamp_ns)
        assert frame["timestamp"] == stamp_ns // 1_000_000
    about = yaml.safe_load((drive / "drive.yaml").read_text())
    assert about["settings"]["seed"] == 3 and about["holds"]["frames"] == 30
    assert about["holds"]["labels"] == sum(len(frame["labels"]) for frame in truth_frames(drive))


def test_perfect_detections_are_the_truth(drive: Path) -> None:
    arrays = messages(drive, "/detections")
    orders = set()
    for frame in truth_frames(drive):
        wanted = {}
        for label, mask in masks_of(frame):
            wanted[mask.x, mask.y, mask.width, mask.height] = (label, mask)
        detections = arrays[frame["frameIndex"]].detections
        assert len(detections) == len(frame["labels"])
        for found in detections:
            label, mask = wanted[found.mask.x, found.mask.y, found.mask.width, found.mask.height]
            box = (found.x_min, found.y_min, found.x_max, found.y_max)
            assert box == tuple(label["box2d"].values())
            assert found.class_id == label["category"] and found.score == 1
            assert bytes(found.mask.runs) == mask.runs
            orders.add(label["id"])
    assert len(orders) >= 8


def test_tracks_of_the_truth_score_100(drive: Path, tmp_path: Path) -> None:
    pytest.importorskip("trackeval")
    content = json.loads((drive / "truth.json").read_text())
    for frame in content["frames"]:
        for label in frame["labels"]:
            label["score"] = 1.0
            label["id"] = str(1000 - int(label["id"]))
    results = tmp_path / "results.json"
    results.write_text(json.dumps(content))
    for protocol in ("bdd_mot", "bdd_mots"):
        with pytest.warns(UserWarning, match="traffic sign"):
            report = evaluate(drive / "truth.json", results, protocol)
        for figure in ("HOTA", "MOTA", "IDF1"):
            assert report[figure] == pytest.approx(100), (protocol, figure)


def test_what_leaves_comes_again_with_its_id(settings: DriveSettings) -> None:
    long = replace(settings, seconds=50, camera_hz=2, truth_hz=2, size=(160, 90))
    seen: dict[int, list[int]] = {}
    for index, frame in enumerate(drive_frames(long)):
        for label in frame.labels:
            seen.setdefault(label.id, []).append(index)
    away_s = [max(np.diff(indices), default=0) / 2 for indices in seen.values()]
    assert sum(gap >= 3 for gap in away_s) >= 2
    assert len(seen) >= 40 and len({min(indices) for indices in seen.values()}) > 20


def test_the_light_changes(settings: DriveSettings) -> None:
    long = replace(settings, seconds=40, camera_hz=2, truth_hz=2, size=(160, 90))
    means = [frame.image.mean() for frame in drive_frames(long)]
    assert min(means) < 0.6 * np.median(means)  # a bridge or a tunnel
    assert np.std(means) > 0.03 * np.median(means)


def test_noisy_detections_are_those_of_a_fair_detector(
    settings: DriveSettings, tmp_path: Path
) -> None:
    noisy = replace(settings, seconds=6, detections="noisy", truth_hz=10)
    write_drive(tmp_path / "drive", noisy)
    arrays = messages(tmp_path / "drive", "/detections")
    near = true = total = 0
    offsets = []
    for frame, array in zip(truth_frames(tmp_path / "drive"), arrays, strict=True):
        boxes = np.array([list(label["box2d"].values()) for label in frame["labels"]])
        total += len(array.detections)
        true += len(boxes)
        for found in array.detections:
            assert 0 < found.score < 1 and found.mask.width == 0
            assert 0 <= found.x_min < found.x_max <= SIZE[0]
            assert 0 <= found.y_min < found.y_max <= SIZE[1]
            box = np.array((found.x_min, found.y_min, found.x_max, found.y_max))
            sides = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
            offset = (np.abs(boxes - box) / sides).max(axis=1).min()
            near += offset < 0.2
            offsets.append(offset)
    assert 0.4 * true < near < 0.97 * true  # some are missed
    assert near < total < near + true  # and some are invented
    assert np.median(offsets) > 0.005


def test_raw_images(settings: DriveSettings, tmp_path: Path) -> None:
    write_drive(tmp_path / "drive", replace(settings, seconds=0.3, raw=True))
    with open_source(tmp_path / "drive", "/camera/image_raw") as source:
        images = [frame.image for frame in source]
    wanted = [frame.image for frame in drive_frames(replace(settings, seconds=0.3))]
    assert len(images) == 3 and np.array_equal(images, wanted)


def test_nothing_is_left_of_a_drive_that_fails(settings: DriveSettings, tmp_path: Path) -> None:
    calls: list[int] = []

    def fail() -> None:
        calls.append(1)
        if len(calls) == 3:
            raise RuntimeError("enough")

    with pytest.raises(RuntimeError, match="enough"):
        write_drive(tmp_path / "drive", settings, fail)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"seed": -1}, "negative"),
        ({"seconds": 0.0}, "no drive"),
        ({"size": (320, 20)}, "64 pixels"),
        ({"truth_hz": 31.0}, "does not fit a camera"),
        ({"camera_hz": 0.0}, "not possible"),
        ({"detections": "good"}, "perfect or noisy"),
        ({"shake": -1.0}, "shake"),
    ],
)
def test_settings_without_sense(change: dict[str, Any], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        DriveSettings(**change)


RATES = list(combinations((30.0, 10.0, 7.0, 5.0, 0.3), 2))


@pytest.mark.parametrize(("camera_hz", "truth_hz"), RATES)
def test_labelled_frames_are_spread_evenly(camera_hz: float, truth_hz: float) -> None:
    settings = DriveSettings(camera_hz=camera_hz, truth_hz=truth_hz)
    labelled = [index for index in range(1000) if settings.is_labelled(index)]
    assert labelled[0] == 0
    assert len(labelled) == pytest.approx(1000 * truth_hz / camera_hz, abs=1)
    assert np.ptp(np.diff(labelled)) <= 1
