"""Drawing tracks: what is drawn lies where it should, and nothing breaks it."""

from __future__ import annotations

from typing import Any

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from masa_core.masks import encode_mask
from masa_core.overlay import draw_tracks, track_colour
from masa_core.structures import Mask, Tracks, TrackState

GREY = np.full((120, 160, 3), 128, np.uint8)


def one(box: Any, state: int = TrackState.CONFIRMED, mask: Mask | None = None) -> Tracks:
    return Tracks([5], [box], [0.5], [0], [state], None if mask is None else [mask])


def changed(picture: np.ndarray) -> np.ndarray:
    return (picture != GREY).any(axis=2)


def test_the_frame_itself_is_not_drawn_on() -> None:
    frame = GREY.copy()
    draw_tracks(frame, one([20, 40, 80, 100]))
    assert np.array_equal(frame, GREY)


def test_no_tracks_no_change() -> None:
    assert np.array_equal(draw_tracks(GREY, Tracks.empty()), GREY)


def test_a_box_is_drawn_on_its_edges_in_the_colour_of_its_id() -> None:
    picture = draw_tracks(GREY, one([20, 40, 80, 100]))
    for y, x in ((70, 20), (70, 80), (100, 50)):
        assert tuple(picture[y, x]) == track_colour(5)
    assert not changed(picture)[45:95, 25:75].any()


def test_the_label_stands_above_the_box_or_below_its_upper_edge() -> None:
    above = changed(draw_tracks(GREY, one([20, 60, 80, 100]), ("car",)))
    assert above[45:58, 20:30].any()
    inside = changed(draw_tracks(GREY, one([20, 0, 80, 100]), ("car",)))
    assert inside[2:12, 22:40].any()


def test_the_label_of_a_box_at_the_right_edge_is_not_cut_off() -> None:
    long = ("a very long class",)
    plate = changed(draw_tracks(GREY, one([150, 60, 160, 100]), long))[48:56]
    width = np.flatnonzero(plate.any(axis=0))
    plate = changed(draw_tracks(GREY, one([20, 60, 40, 100]), long))[48:56]
    assert len(width) == len(np.flatnonzero(plate.any(axis=0)))


def test_a_mask_tints_its_pixels_alone() -> None:
    pixels = np.zeros((120, 160), bool)
    pixels[60:70, 40:50] = True
    pixels[63:66, 43:46] = False  # a hole
    picture = draw_tracks(GREY, one([20, 40, 80, 100], mask=encode_mask(pixels)))
    inside = changed(picture)[45:95, 25:75]
    assert np.array_equal(inside, pixels[45:95, 25:75])


def test_a_coasting_box_is_drawn_as_its_corners() -> None:
    picture = changed(draw_tracks(GREY, one([20, 40, 80, 100], TrackState.COASTED)))
    assert picture[90, 20] and picture[100, 75]
    assert not picture[70, 15:25].any() and not picture[95:105, 50].any()


def test_colours_stay_and_neighbouring_ids_differ() -> None:
    colours = [track_colour(track_id) for track_id in range(200)]
    assert colours == [track_colour(track_id) for track_id in range(200)]
    for i, a in enumerate(colours):
        for b in colours[max(0, i - 8) : i]:
            assert np.abs(np.subtract(a, b)).sum() > 40


@given(
    box=st.lists(st.floats(-1e9, 1e9, width=32), min_size=4, max_size=4),
    state=st.sampled_from(list(TrackState)),
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    place=st.tuples(st.integers(-60, 60), st.integers(-60, 60)),
    name=st.text(max_size=5),
    track_id=st.integers(0, 2**62),
)
def test_any_track_can_be_drawn_on_any_frame(
    box: list[float],
    state: TrackState,
    height: int,
    width: int,
    place: tuple[int, int],
    name: str,
    track_id: int,
) -> None:
    frame = np.zeros((height, width, 3), np.uint8)
    mask = encode_mask(np.ones((5, 5), bool), *place)
    picture = draw_tracks(frame, Tracks([track_id], [box], [0.5], [0], [state], [mask]), (name,))
    assert picture.shape == frame.shape and picture.dtype == np.uint8
