"""Results written in each format are scored as what they are."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from masa_core.evaluation import evaluate
from masa_core.evaluation.results import VideoTracks, paint
from masa_core.evaluation.results_json import write_tao, write_vis
from masa_core.evaluation.results_kitti import write_kitti
from masa_core.evaluation.results_masks import write_bitmasks, write_kitti_mots
from masa_core.masks import encode_mask
from masa_core.structures import Tracks, TrackState

from . import scenes

pytest.importorskip("trackeval")
pytest.importorskip("pycocotools")

CLASSES = ("car", "tree", "pedestrian")  # the tracks' labels index these, not the data set's


def tracks_of(boxes: list[scenes.Box], first_id: int = 0) -> Tracks:
    columns = [
        [box.track + first_id for box in boxes],
        [[box.x, box.y, box.x + box.width, box.y + box.height] for box in boxes],
        [box.score for box in boxes],
        [CLASSES.index(box.label) for box in boxes],
        [TrackState.CONFIRMED for _ in boxes],
    ]
    masks = [encode_mask(scenes.box_pixels(box)) for box in boxes]
    return Tracks(*(np.array(column) for column in columns), masks)  # type: ignore[arg-type]


def truth_as_tracks(scene: scenes.Scene, suffix: str = ".jpg") -> list[VideoTracks]:
    return [
        VideoTracks(
            name,
            [f"{index:05d}{suffix}" for index in range(len(frames))],
            [tracks_of(frame) for frame in frames],
            scenes.HEIGHT,
            scenes.WIDTH,
        )
        for name, frames in scene.truth.items()
    ]


@pytest.fixture
def scene() -> scenes.Scene:
    found = scenes.random_scene(5)
    labels = {box.label for video in found.truth.values() for boxes in video for box in boxes}
    assert labels == {"car", "pedestrian"}
    assert len(found.truth) == 2
    return found


def test_tao(scene: scenes.Scene, tmp_path: Path) -> None:
    truth, _ = scenes.write_tao(scene, tmp_path)
    videos = [
        VideoTracks(
            f"val/{video.name}",
            [f"val/{video.name}/{index:04d}.jpg" for index in range(len(video.frames))],
            video.frames,
            video.height,
            video.width,
        )
        for video in truth_as_tracks(scene)
    ]
    path = tmp_path / "out.json"
    write_tao(path, videos, truth, CLASSES)
    entries = json.loads(path.read_text())
    of_video = {entry["track_id"]: entry["video_id"] for entry in entries}
    assert len(set(of_video.values())) == 2
    assert {(entry["track_id"], entry["video_id"]) for entry in entries} == set(of_video.items())
    assert min(of_video) == 1  # TrackEval mistakes track 0
    report = evaluate(truth, path, "tao")
    # boxes are float32: overlaps are below 1 by rounding
    assert report["TETA"] == pytest.approx(100, abs=1e-3)
    assert report["TrackAP50"] == pytest.approx(1)


def test_vis(scene: scenes.Scene, tmp_path: Path) -> None:
    truth, _ = scenes.write_vis(scene, tmp_path)
    path = tmp_path / "out.json"
    write_vis(path, truth_as_tracks(scene), truth, CLASSES)
    report = evaluate(truth, path, "ytvis")
    assert (report["AP"], report["AR100"]) == (pytest.approx(1), 1)


def test_kitti(scene: scenes.Scene, tmp_path: Path) -> None:
    truth, _ = scenes.write_kitti(scene, tmp_path)
    write_kitti(tmp_path / "out", truth_as_tracks(scene), CLASSES)
    report = evaluate(truth, tmp_path / "out", "kitti")
    assert report["MOTA_car"] == report["MOTA_pedestrian"] == 100


def test_bitmasks_and_kitti_mots_resolve_overlaps(tmp_path: Path) -> None:
    below = scenes.Box(300, "car", 10, 10, 60, 60, 0.5)
    above = scenes.Box(70_000, "pedestrian", 40, 10, 60, 60, 0.8)
    video = VideoTracks("0000", ["a.jpg"], [tracks_of([below, above])], 120, 160)
    painted = paint(video.frames[0], 120, 160)
    assert [painted[30, 20], painted[30, 50], painted[30, 80], painted[0, 0]] == [0, 1, 1, -1]

    write_bitmasks(tmp_path / "bits", [video], CLASSES)
    image = cv2.imread(str(tmp_path / "bits" / "0000" / "a.png"), cv2.IMREAD_UNCHANGED)
    assert image[30, 20].tolist() == [0, 0, 3, 1]  # blue, green, red, alpha: a car, id 1
    assert image[30, 50].tolist() == [0, 0, 1, 2]
    report = evaluate(tmp_path / "bits", tmp_path / "bits", "bdd_mots")
    assert report["MOTA"] == report["HOTA"] == report["TETA"] == 100
    assert report["mMOTSA"] == report["mMOTA"] == 25

    write_kitti_mots(tmp_path / "mots", [video], CLASSES)
    lines = (tmp_path / "mots" / "0000.txt").read_text().splitlines()
    assert [line.split()[:3] for line in lines] == [["0", "1001", "1"], ["0", "2001", "2"]]
    report = evaluate(tmp_path / "mots", tmp_path / "mots", "kitti_mots")
    assert report["sMOTSA_car"] == report["HOTA_pedestrian"] == 100


def test_classes_that_the_data_set_has_not_are_counted(tmp_path: Path) -> None:
    tracks = tracks_of([scenes.Box(1, "tree", 1, 1, 30, 40), scenes.Box(2, "car", 1, 1, 30, 40)])
    video = VideoTracks("0000", ["a.jpg"], [tracks], 120, 160)
    with pytest.warns(UserWarning, match="left out .1 of tree"):
        write_kitti(tmp_path, [video], CLASSES)
    assert (tmp_path / "0000.txt").read_text().split()[:3] == ["0", "2", "Car"]


def test_more_tracks_than_a_format_can_name(tmp_path: Path) -> None:
    boxes = [scenes.Box(track, "car", track % 100, track // 100, 1, 1) for track in range(1000)]
    video = VideoTracks("0000", ["a.jpg"], [tracks_of(boxes)], 120, 160)
    with pytest.raises(ValueError, match="more than the 999 tracks"):
        write_kitti_mots(tmp_path, [video], CLASSES)
