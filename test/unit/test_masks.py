"""Compact masks: nothing is lost, and broken runs are told."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from masa_core.masks import (
    decode_mask,
    decode_runs,
    encode_mask,
    encode_runs,
    mask_boxes,
    paste_mask,
)
from masa_core.structures import Mask

pixels = arrays(bool, array_shapes(min_dims=2, max_dims=2, min_side=0, max_side=40))


def message_decoder(runs: bytes, height: int, width: int) -> np.ndarray:
    """The decoder that msg/Mask.msg gives to consumers, to the letter."""
    lengths, value, shift = [], 0, 0
    for byte in runs:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            lengths.append(value)
            value = shift = 0
    return np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(height, width)


@given(pixels)
def test_runs_come_back(mask: np.ndarray) -> None:
    runs = encode_runs(mask)
    np.testing.assert_array_equal(decode_runs(runs, *mask.shape), mask)
    np.testing.assert_array_equal(message_decoder(runs, *mask.shape), mask)


@given(pixels, st.integers(-20, 20), st.integers(-20, 20))
def test_masks_come_back_in_their_place(mask: np.ndarray, x: int, y: int) -> None:
    height, width = 30, 50
    expected = np.zeros((height, width), bool)
    for row, column in np.argwhere(mask):
        if 0 <= row + y < height and 0 <= column + x < width:
            expected[row + y, column + x] = True
    np.testing.assert_array_equal(paste_mask(encode_mask(mask, x, y), height, width), expected)


def test_long_runs_holes_and_parts() -> None:
    mask = np.zeros((720, 1280), bool)
    mask[10:600, 5:1200] = True
    mask[100:500, 100:300] = False  # a hole of many runs over 127 px
    mask[650:, 1270:] = True  # a second part
    compact = encode_mask(mask)
    assert (compact.x, compact.y, compact.width, compact.height) == (5, 10, 1275, 710)
    np.testing.assert_array_equal(mask_boxes([compact]), [[5, 10, 1280, 720]])
    assert mask_boxes([]).shape == (0, 4)
    assert len(compact.runs) < 5000
    np.testing.assert_array_equal(paste_mask(compact, 720, 1280), mask)
    np.testing.assert_array_equal(decode_mask(compact), mask[10:, 5:])


def test_an_empty_mask_has_no_crop() -> None:
    assert encode_mask(np.zeros((4, 5), bool), 2, 3) == Mask(2, 3, 0, 0, b"")
    assert not paste_mask(Mask(2, 3, 0, 0, b""), 6, 7).any()


@pytest.mark.parametrize(
    ("runs", "says"),
    [
        (b"\x03\x80", "middle of a number"),
        (b"\x02\x01", "cover 3 pixels, the crop has 2 x 2"),
        (b"\xff\xff\xff\xff\xff\xff\x01", "too large"),
    ],
)
def test_broken_runs_are_told(runs: bytes, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        decode_runs(runs, 2, 2)


@given(st.binary(max_size=20), st.integers(0, 6), st.integers(0, 6))
def test_any_bytes_decode_or_are_refused(runs: bytes, height: int, width: int) -> None:
    try:
        assert decode_runs(runs, height, width).shape == (height, width)
    except ValueError as error:
        assert "mask runs" in str(error)
