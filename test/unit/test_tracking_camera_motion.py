"""The camera's motion: found from frames, and followed by the tracks."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pytest

from masa_core.masks import encode_mask
from masa_core.pipeline import MasaPipeline
from masa_core.structures import Detections, TrackState
from masa_core.tracking import Tracker, TrackerConfig
from masa_core.tracking.camera_motion import CameraMotion

WIDTH, HEIGHT = 640, 360
NO_BOXES = np.zeros((0, 4), np.float32)
ALIKE = np.full((8, 8), 5, np.float32)
CORNERS = np.array([[0, 0], [WIDTH, 0], [0, HEIGHT], [WIDTH, HEIGHT]], float)


def wall(seed: int = 0) -> np.ndarray:
    """Something to look at, larger than a frame: (3 * HEIGHT, 3 * WIDTH, 3) uint8."""
    noise = np.random.default_rng(seed).uniform(0, 255, (108, 192, 3)).astype(np.float32)
    return cv2.resize(noise, (3 * WIDTH, 3 * HEIGHT), interpolation=cv2.INTER_CUBIC).clip(0, 255)


WALL = wall().astype(np.uint8)


def motion(dx: float, dy: float, degrees: float = 0, zoom: float = 1) -> np.ndarray:
    """(2, 3): a turn and a zoom around the middle of the frame, and a shift."""
    matrix = cv2.getRotationMatrix2D((WIDTH / 2, HEIGHT / 2), degrees, zoom)
    matrix[:, 2] += (dx, dy)
    return matrix


def frame(view: np.ndarray, picture: np.ndarray = WALL) -> np.ndarray:
    """What a camera sees whose view is shifted by a (2, 3) matrix from the middle of the wall."""
    middle = np.array([[1, 0, -WIDTH], [0, 1, -HEIGHT], [0, 0, 1]])
    return cv2.warpAffine(picture, view @ middle, (WIDTH, HEIGHT))


def error_px(found: np.ndarray, true: np.ndarray) -> float:
    return float(np.abs(CORNERS @ (found - true)[:, :2].T + (found - true)[:, 2]).max())


@pytest.mark.parametrize(
    "true",
    [motion(0, 0), motion(3.5, -2), motion(-30, 12), motion(4, 3, 2), motion(-6, 2, -1, 1.04)],
)
def test_the_motion_of_a_camera_is_found(true: np.ndarray) -> None:
    camera = CameraMotion()
    np.testing.assert_array_equal(camera.to(frame(np.eye(2, 3)), NO_BOXES), np.eye(2, 3))
    assert error_px(camera.to(frame(true), NO_BOXES), true) < 1


def test_it_does_not_follow_what_is_detected() -> None:
    """A lorry that fills most of the picture moves to the right, before a still background."""
    lorry = wall(seed=1).astype(np.uint8)[: HEIGHT - 60, : WIDTH - 160]
    camera = CameraMotion()
    for x in (20, 30, 40):
        picture = frame(np.eye(2, 3))
        picture[30 : HEIGHT - 30, x : x + WIDTH - 160] = lorry
        box = np.array([[x, 30, x + WIDTH - 160, HEIGHT - 30]], np.float32)
        assert error_px(camera.to(picture, box), motion(0, 0)) < 1


@pytest.mark.parametrize("other", [np.zeros_like(WALL), wall(seed=2).astype(np.uint8)])
def test_where_nothing_agrees_the_camera_counts_as_still(other: np.ndarray) -> None:
    camera = CameraMotion()
    camera.to(frame(np.eye(2, 3)), NO_BOXES)
    for picture in (other, WALL):
        found = camera.to(frame(motion(2, 2), picture), NO_BOXES)
        np.testing.assert_array_equal(found, np.eye(2, 3))


def test_frames_may_change_their_size() -> None:
    camera = CameraMotion()
    camera.to(frame(np.eye(2, 3)), NO_BOXES)
    half = cv2.resize(frame(motion(8, 4)), (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)
    found = camera.to(half, NO_BOXES)
    assert error_px(found, motion(8, 4) / 2) < 1
    assert camera.to(half[:, :100], NO_BOXES).shape == (2, 3)  # of another shape: begins anew
    assert camera.to(half[:1, :1], NO_BOXES).shape == (2, 3)


def ns(seconds: float) -> int:
    return round(seconds * 1e9)


def plus(**overrides: Any) -> Tracker:
    return Tracker(TrackerConfig.preset("masa_plus", **overrides))


def row_of_posts(view: np.ndarray) -> Detections:
    """Five posts that look alike and stand 60 px apart, as a camera sees them."""
    places = np.array([(150 + 60 * post, 150) for post in range(5)], float)
    places = places @ view[:, :2].T + view[:, 2]
    boxes = np.concatenate([places - 20, places + 20], axis=1)
    masks = [
        encode_mask(np.ones((40, 40), bool), *np.rint(place - 20).astype(int).tolist())
        for place in places
    ]
    return Detections(boxes, np.full(5, 0.9), np.zeros(5, np.int64), masks)


def test_tracks_follow_the_camera() -> None:
    """The camera jerks by more than the distance of the posts: only its motion can tell."""
    for config, all_right in [({}, True), ({"camera_motion": False}, False)]:
        tracker, view = plus(**config), np.eye(2, 3)
        right = True
        for index in range(20):
            jerk = motion(65 if index % 8 in (3, 5) else (-65 if index % 8 in (4, 6) else 0), 5)
            view = jerk @ np.vstack([view, [0, 0, 1]])
            tracks = tracker.update(row_of_posts(view), ALIKE[:5], ns(index / 10), jerk)
            seen = tracks[tracks.states != TrackState.COASTED]
            right &= list(seen.ids[np.argsort(seen.boxes[:, 0])]) == list(range(5))
        assert right == all_right


def test_coasted_boxes_and_masks_follow_the_camera() -> None:
    tracker = plus(coast_s=0.5)
    for index in range(5):
        tracker.update(row_of_posts(np.eye(2, 3)), ALIKE[:5], ns(index / 10), np.eye(2, 3))
    for index, jerk in enumerate((motion(30, -10), motion(10, 5, zoom=1.5)), start=5):
        tracks = tracker.update(Detections.empty(), ALIKE[:0], ns(index / 10), jerk)
    view = jerk @ np.vstack([motion(30, -10), [0, 0, 1]])
    expected = [(150 + 60 * post, 150) for post in range(5)] @ view[:, :2].T + view[:, 2]
    inside = expected[:, 0] < 410  # where no box was yet, nothing is shown
    assert set(tracks.ids) >= set(np.flatnonzero(inside))
    for track in np.flatnonzero(inside):
        row = list(tracks.ids).index(track)
        box = tracks.boxes[row]
        np.testing.assert_allclose((box[:2] + box[2:]) / 2, expected[track], atol=2)
        np.testing.assert_allclose(box[2:] - box[:2], 60, atol=2)
        mask = tracks.masks[row]
        middle = (mask.x + mask.width / 2, mask.y + mask.height / 2)
        np.testing.assert_allclose(middle, expected[track], atol=2)


def test_a_velocity_is_relative_to_the_background() -> None:
    tracker, view = plus(), np.eye(2, 3)
    for index in range(10):
        tracks = tracker.update(row_of_posts(view), ALIKE[:5], ns(index / 10), motion(-10, 0))
        view = motion(-10, 0) @ np.vstack([view, [0, 0, 1]])
    assert np.abs(tracks.velocities).max() < 5


def test_a_camera_that_never_stops_does_no_harm() -> None:
    """It drives past things for an hour of memory: no overflow, and they are found by looks."""
    tracker = plus(memory_s=3600)
    far, zoom = squares_at((10, 10)), motion(0, 0, zoom=1.4)
    looks = 20 * np.eye(8, dtype=np.float32)
    for index in range(4):
        tracker.update(far, looks[:1], ns(index / 10), np.eye(2, 3))
    with np.errstate(all="raise", under="ignore"):
        for index in range(600):
            tracks = tracker.update(squares_at((300, 200)), looks[1:2], ns(1 + index), zoom)
            assert np.isfinite(tracks.boxes).all() and np.isfinite(tracks.velocities).all()
        tracks = tracker.update(far, looks[:1], ns(600), np.linalg.pinv(zoom[:, :2])[:, [0, 1, 1]])
    assert np.isfinite(tracker.memory.centres).all() and len(tracks)


def squares_at(*places: tuple[float, float]) -> Detections:
    boxes = np.array([(x, y, x + 40, y + 40) for x, y in places], np.float32)
    return Detections(boxes, np.full(len(boxes), 0.9), np.zeros(len(boxes), np.int64))


def test_the_official_trackers_do_not_follow_it() -> None:
    for preset in ("masa_tao", "masa_bdd"):
        one, other = (Tracker(TrackerConfig.preset(preset)) for _ in range(2))
        assert not one.wants_camera_motion
        for index in range(5):
            found = row_of_posts(motion(7 * index, 0))
            a = one.update(found, ALIKE[:5], index)
            b = other.update(found, ALIKE[:5], index, motion(7, 0))
            np.testing.assert_array_equal(a.ids, b.ids)
            np.testing.assert_array_equal(a.velocities, b.velocities)


@pytest.mark.parametrize("wrong", [np.eye(3), np.full((2, 3), np.nan)])
def test_a_wrong_motion_is_told(wrong: np.ndarray) -> None:
    with pytest.raises(ValueError, match="camera_motion must be a finite"):
        plus().update(Detections.empty(), ALIKE[:0], 0, wrong)


class Alike:
    """A model to which everything looks the same."""

    name, classes, has_detector, has_masks = "alike", ("post",), False, False

    def encode(self, frame_bgr: np.ndarray) -> np.ndarray:
        return frame_bgr

    def embed(self, features: Any, boxes: np.ndarray) -> np.ndarray:
        return ALIKE[: len(boxes)]


@pytest.mark.parametrize("config", [{}, {"camera_motion": False}])
def test_the_pipeline_finds_the_motion_in_its_frames(config: dict[str, Any]) -> None:
    """Also over frames without detections, and between those that are left when some are lost."""
    pipeline, view = MasaPipeline(Alike(), plus(**config)), np.eye(2, 3)
    kept = True
    for index in range(12):
        view = motion(40 if index % 2 else -40, 6) @ np.vstack([view, [0, 0, 1]])
        if index in (5, 8):
            continue  # lost
        found = Detections.empty() if index in (4, 9) else row_of_posts(view)
        tracks = pipeline.step(frame(view), ns(index / 10), found)
        assert ("camera motion" in pipeline.timings) == (config == {})
        seen = tracks[tracks.states != TrackState.COASTED]
        kept &= list(seen.ids[np.argsort(seen.boxes[:, 0])]) == list(range(5))[: len(found)]
    assert kept == (config == {})
