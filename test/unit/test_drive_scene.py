"""The parts of synthetic drives: backgrounds, traffic, cut-outs, KITTI's paths, occlusion."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path

import cv2
import numpy as np
import pytest
from fakes import write_folder, write_video
from hypothesis import given
from hypothesis import strategies as st

from masa_core.evaluation import FormatError
from masa_core.evaluation.drive import Backdrop, DriveSettings, drive_frames
from masa_core.evaluation.drive.cutouts import cutout_looks
from masa_core.evaluation.drive.kitti_paths import kitti_actors
from masa_core.evaluation.drive.looks import drawn_look
from masa_core.evaluation.drive.paths import Actor, clash
from masa_core.evaluation.drive.paths import Path as RoadPath
from masa_core.evaluation.drive.render import Pose
from masa_core.evaluation.drive.scene import Shown, compose, streak
from masa_core.evaluation.drive.shapes import Action
from masa_core.evaluation.drive.traffic import Traffic
from masa_core.evaluation.drive.view import NEAR_M, View, clip_near
from masa_core.io import SourceError
from masa_core.io.coco_rle import to_coco_rle
from masa_core.masks import encode_mask

SPEED_M_S = 12.0
VIEW = View(320, 180, (0.5, 0.5))
KINDS = (
    "car",
    "truck",
    "bus",
    "bicycle",
    "motorcycle",
    "pedestrian",
    "rider",
    "motorcyclist",
    "traffic sign",
)


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def actor(kind: str, number: int = 1) -> Actor:
    path = RoadPath([(0, 0, 10), (10, 0, 10)], SPEED_M_S)
    return Actor(drawn_look(kind, rng()), [path], id=number)


def shown_at(*placements: tuple[str, float, float]) -> dict[int, Shown]:
    """What compose shows of objects of a kind at x and z, by their place in the list."""
    placed = [
        (actor(kind, number), Pose(x, z, 0.0), Action())
        for number, (kind, x, z) in enumerate(placements)
    ]
    _, shown = compose(np.full((180, 320, 3), 128, np.uint8), placed, VIEW, 1.0, 0.01)
    return {item.actor.id: item for item in shown}


def test_the_nearer_hides_the_farther() -> None:
    shown = shown_at(("pedestrian", 0, 30), ("bus", 0, 15))
    assert set(shown) == {1} and shown[1].occlusion == 0
    shown = shown_at(("car", 1.2, 18), ("car", 0, 12))
    assert 0.2 < shown[0].occlusion < 0.9 and shown[1].occlusion == 0
    alone = shown_at(("car", 1.2, 18))[0]
    assert alone.visible_px == shown[0].whole_px


def test_what_the_frame_cuts_off_is_truncated() -> None:
    shown = shown_at(("car", 0, 12), ("car", -5.5, 12), ("truck", -40, 12), ("car", 0, -20))
    assert {number: item.truncated for number, item in shown.items()} == {0: False, 1: True}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("z", [0.3, 1.0, 4.0, 60.0])
def test_every_kind_can_be_seen_from_anywhere(kind: str, z: float) -> None:
    background = np.full((180, 320, 3), 128, np.uint8)
    someone = actor(kind)
    areas = []
    for yaw in np.arange(0, 6, 0.7).tolist():
        for x in (-2.0, 0.0, 2.0):
            pose = Pose(x * z / 4, z, yaw)
            picture, shown = compose(background, [(someone, pose, Action(yaw))], VIEW, 1.0, 0.01)
            areas += [item.visible_px for item in shown]
            for item in shown:
                assert item.visible.shape <= (180, 320) and item.visible_px <= item.whole_px
                region = picture[item.y :, item.x :][: len(item.visible), : item.visible.shape[1]]
                assert (region[item.visible] != 128).any()
    assert areas or z < 1.5


def test_near_polygons_are_cut_at_the_camera() -> None:
    square = np.array([(-1, 0, -2), (1, 0, -2), (1, 0, 5), (-1, 0, 5)], float)
    cut = clip_near(square)
    assert len(cut) == 4 and cut[:, 2].min() == pytest.approx(NEAR_M) and cut[:, 2].max() == 5
    assert len(clip_near(square - (0, 0, 10))) == 0
    assert np.array_equal(clip_near(square + (0, 0, 10)), square + (0, 0, 10))


@given(st.floats(-40, 40), st.floats(-40, 40))
def test_a_streak_neither_adds_light_nor_moves_the_picture(dx: float, dy: float) -> None:
    kernel = streak(dx, dy)
    middle = (len(kernel) - 1) / 2
    rows, columns = np.indices(kernel.shape)
    assert kernel.sum() == pytest.approx(1, abs=1e-5) and kernel.min() >= 0
    assert (kernel * (columns - middle)).sum() == pytest.approx(0, abs=0.1)
    assert (kernel * (rows - middle)).sum() == pytest.approx(0, abs=0.1)


def test_traffic_never_runs_into_itself() -> None:
    actors = Traffic(40, SPEED_M_S, drawn_look, rng()).actors()
    assert len(actors) > 60
    for number, first in enumerate(actors):
        for second in actors[:number]:
            ridden = first.visits == second.visits  # a rider sits on what it rides
            assert ridden or not clash(first, second)
    assert {"car", "pedestrian", "rider", "bicycle", "traffic sign"} <= {
        item.look.category for item in actors
    }
    assert any(len(item.visits) > 1 for item in actors)


def test_individuals_of_a_class_differ() -> None:
    looks = [drawn_look("car", np.random.default_rng(seed)) for seed in range(8)]
    means = []
    for look in looks:
        sprite = look.draw(Action(), Pose(0, 10, 0), VIEW, 1.0)
        assert sprite is not None
        means.append(sprite.colour[sprite.solid].mean(axis=0))
    gaps = [np.abs(a - b).max() for i, a in enumerate(means) for b in means[:i]]
    assert min(gaps) > 2 and np.median(gaps) > 25


def test_brakes_light_up() -> None:
    look = drawn_look("car", rng())
    plain, braking = (look.draw(Action(braking=on), Pose(0, 8, 0), VIEW, 1.0) for on in (0, 1))
    redness = [
        (sprite.colour[..., 2].astype(int) - sprite.colour[..., 1]).max()
        for sprite in (plain, braking)
    ]
    assert redness[1] > redness[0] + 40


def test_a_background_has_no_end_and_no_cut(tmp_path: Path) -> None:
    images = [np.full((72, 128, 3), 4 * index, np.uint8) for index in range(60)]
    path = tmp_path / "ramp"
    path.mkdir()
    for index, image in enumerate(images):
        cv2.imwrite(str(path / f"{index}.png"), image)
    frames = Backdrop(path).frames((128, 72), 30.0)
    means = [frame.mean() for frame in islice(frames, 200)]
    steps = np.abs(np.diff(means))
    assert steps.max() < 15  # the cut would be 236
    assert max(means) > 100 and min(means[60:]) < 100  # it does begin anew
    slow = Backdrop(path, playback=0.3).frames((128, 72), 30.0)
    means = [frame.mean() for frame in islice(slow, 60)]
    assert means[30] == pytest.approx(4 * 9, abs=3)
    one = write_folder(tmp_path / "one", 1)
    assert len(list(islice(Backdrop(one).frames((64, 64), 5.0), 7))) == 7


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"playback": 0.0}, "playback speed"),
        ({"camera_m_s": 2.0}, "2 m/s: it must be 3 to 100"),
        ({"vanishing_point": (0.5, 1.5)}, "vanishing point"),
    ],
)
def test_backdrops_without_sense(change: dict[str, float], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Backdrop(Path("x"), **change)


def write_segments(folder: Path, predicted_iou: float = 1.0) -> None:
    """An image with an upright, a wide and a square object, and one at its edge."""
    folder.mkdir()
    image = np.full((200, 300, 3), 90, np.uint8)
    annotations = []
    for x, y, width, height in (
        (20, 20, 45, 90),
        (90, 20, 120, 60),
        (90, 100, 60, 60),
        (0, 120, 50, 70),
    ):
        cv2.rectangle(image, (x, y), (x + width, y + height), (x, 200 - y, 220), -1)
        mask = encode_mask(np.ones((height, width), bool), x, y)
        annotations.append(
            {"segmentation": to_coco_rle(mask, 200, 300), "predicted_iou": predicted_iou}
        )
    cv2.imwrite(str(folder / "a.jpg"), image)
    (folder / "a.json").write_text(json.dumps({"image": {}, "annotations": annotations}))


def test_cutouts_become_objects_by_their_shape(tmp_path: Path) -> None:
    write_segments(tmp_path / "segments")
    look = cutout_looks(tmp_path / "segments", rng())
    for kind, aspect in (("pedestrian", 2.0), ("car", 0.5), ("traffic sign", 1.0)):
        made = look(kind, rng())
        assert made.category == kind
        far, near = (made.draw(Action(), Pose(0, z, 0), VIEW, 1.0) for z in (40.0, 8.0))
        assert far is not None and near is not None
        height, width = near.solid.shape
        assert height / width == pytest.approx(aspect, rel=0.4)
        assert 16 < near.solid.sum() / far.solid.sum() < 36  # 5 times as near, 25 times as large
        assert made.draw(Action(), Pose(0, 0.5, 0), VIEW, 1.0) is None
    settings = DriveSettings(
        seconds=0.5,
        size=(160, 90),
        camera_hz=4,
        truth_hz=4,
        cutouts=tmp_path / "segments",
        background=Backdrop(write_video(tmp_path / "road.avi", 60)),
    )
    assert all(frame.labels for frame in drive_frames(settings))


def test_useless_cutouts_are_refused(tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    with pytest.raises(SourceError, match=r"no NAME.jpg"):
        cutout_looks(tmp_path / "none", rng())
    write_segments(tmp_path / "unsure", 0.5)
    with pytest.raises(SourceError, match=r"predicted_iou >= 0\.85"):
        cutout_looks(tmp_path / "unsure", rng())
    write_segments(tmp_path / "bad")
    file = tmp_path / "bad" / "a.json"
    content = json.loads(file.read_text())
    content["annotations"][1]["segmentation"]["counts"] = "0"
    file.write_text(json.dumps(content))
    with pytest.raises(FormatError, match=r"a.json: annotations\[1\]"):
        cutout_looks(tmp_path / "bad", rng())


def kitti_line(frame: int, track: int, kind: str, x: float, z: float, rotation: float) -> str:
    return f"{frame} {track} {kind} 0 0 0 1 1 9 9 1.5 1.6 4.0 {x} 1.7 {z} {rotation}\n"


def test_kitti_labels_give_paths(tmp_path: Path) -> None:
    lines = [kitti_line(frame, 0, "Car", 2, 40 - frame, -np.pi / 2) for frame in range(20)]
    lines += [kitti_line(frame, 1, "Cyclist", -3, 20, 0) for frame in (*range(6), *range(12, 20))]
    lines += [kitti_line(3, 2, "DontCare", -1000, -1000, -10)]
    (tmp_path / "0000.txt").write_text("".join(lines))
    actors = kitti_actors(tmp_path / "0000.txt", 3.0, SPEED_M_S, drawn_look, rng())
    # Labels of 2 s: the third second has new individuals.
    assert [item.look.category for item in actors] == 2 * ["car", "bicycle", "rider"]
    car, bicycle = actors[:2]
    for time_s in (0.0, 0.5, 1.25):
        pose, _ = car.at(time_s)
        assert (pose.x, pose.z) == pytest.approx((2, 40 - 10 * time_s))
        assert np.cos(pose.yaw) == pytest.approx(1)  # it faces the way the camera looks
    assert np.sin(bicycle.at(0.2)[0].yaw) == pytest.approx(1)  # and this one to the right
    assert len(bicycle.visits) == 2 and bicycle.at(0.9) is None


def test_kitti_labels_without_use_are_refused(tmp_path: Path) -> None:
    file = tmp_path / "0000.txt"
    file.write_text(kitti_line(0, -1, "DontCare", 0, 0, 0))
    with pytest.raises(FormatError, match="no object that moves"):
        kitti_actors(file, 3.0, SPEED_M_S, drawn_look, rng())
    file.write_text("0 1 Car 0\n")
    with pytest.raises(FormatError, match=r"0000.txt:1"):
        kitti_actors(file, 3.0, SPEED_M_S, drawn_look, rng())
