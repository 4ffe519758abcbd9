"""Every encoding against a reference written pixel by pixel, and bad messages of every kind."""

from __future__ import annotations

import array
import zlib
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masa_core.io.image_decoding import (
    ENCODINGS,
    MAX_PIXELS,
    ImageError,
    decode_compressed,
    decode_image,
)

SAMPLES = {"bgr8": 3, "8UC3": 3, "rgb8": 3, "bgra8": 4, "rgba8": 4, "mono16": 2}
SAMPLES |= {name: 2 for name in ENCODINGS if name.startswith("yu") or name == "uyvy"}
SAMPLES |= {name: 2 for name in ENCODINGS if name.startswith("bayer") and name.endswith("16")}
REASONS = {"encoding", "size", "step", "data", "compressed"}


def message(encoding, width, height, pad=0, seed=0, big=False):
    """An image message with random pixels; the padding holds random bytes as well."""
    rows = height * 3 // 2 if encoding in ("nv12", "nv21") else height
    step = width * SAMPLES.get(encoding, 1) + pad
    data = np.random.default_rng(seed).integers(0, 256, rows * step, dtype=np.uint8)
    return SimpleNamespace(
        height=height,
        width=width,
        encoding=encoding,
        is_bigendian=int(big),
        step=step,
        data=array.array("B", data.tobytes()),
    )


def yuv_to_bgr(y, u, v):
    """BT.601 limited range, as a person would write it down."""
    y, u, v = 1.164 * max(int(y) - 16, 0), int(u) - 128, int(v) - 128
    return [y + 2.018 * u, y - 0.391 * u - 0.813 * v, y + 1.596 * v]


def reference(msg):
    """(H, W, 3) float BGR, one pixel at a time; Bayer has its own test."""
    data, step, name = bytes(msg.data), msg.step, msg.encoding
    out = np.zeros((msg.height, msg.width, 3))
    for i in range(msg.height):
        row = data[i * step : (i + 1) * step]
        for j in range(msg.width):
            if name in ("bgr8", "8UC3"):
                bgr = list(row[3 * j : 3 * j + 3])
            elif name == "rgb8":
                bgr = list(row[3 * j : 3 * j + 3])[::-1]
            elif name == "bgra8":
                bgr = list(row[4 * j : 4 * j + 3])
            elif name == "rgba8":
                bgr = list(row[4 * j : 4 * j + 3])[::-1]
            elif name in ("mono8", "8UC1"):
                bgr = [row[j]] * 3
            elif name == "mono16":
                pair = row[2 * j : 2 * j + 2]
                bgr = [round(int.from_bytes(pair, "big" if msg.is_bigendian else "little") / 257)]
                bgr *= 3
            elif name in ("nv12", "nv21"):
                chroma = data[(msg.height + i // 2) * step :][j - j % 2 : j - j % 2 + 2]
                bgr = yuv_to_bgr(row[j], *(chroma if name == "nv12" else chroma[::-1]))
            else:
                first = 2 * (j - j % 2)  # of the bytes of this pair of pixels
                luma, blue, red = (1, 0, 2) if name in ("yuv422", "uyvy") else (0, 1, 3)
                last_alone = j == msg.width - 1 and j % 2 == 0
                red_at = first + red - (4 if last_alone else 0)
                bgr = yuv_to_bgr(row[2 * j + luma], row[first + blue], row[red_at])
            out[i, j] = bgr
    return np.clip(out, 0, 255)


plain = [name for name in ENCODINGS if not name.startswith("bayer")]


@given(
    st.sampled_from(plain),
    st.integers(1, 9),
    st.integers(1, 9),
    st.integers(0, 7),
    st.booleans(),
    st.integers(0, 1 << 16),
)
def test_pixels_are_right_for_any_size_and_padding(name, width, height, pad, big, seed):
    msg = message(name, width, height, pad, seed, big)
    shares_chroma_below = name in ("nv12", "nv21")
    shares_chroma_beside = name.startswith(("yu", "uy"))
    if (shares_chroma_below and (width % 2 or height % 2)) or (shares_chroma_beside and width < 2):
        with pytest.raises(ImageError) as caught:
            decode_image(msg)
        assert caught.value.reason == "size"
        return
    got = decode_image(msg)
    assert got.shape == (height, width, 3) and got.dtype == np.uint8
    tolerance = 2 if shares_chroma_below or shares_chroma_beside else 0  # fixed point in OpenCV
    assert np.abs(got - reference(msg)).max() <= tolerance


@pytest.mark.parametrize("big", [False, True])
@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("pattern", ["rggb", "bggr", "gbrg", "grbg"])
@pytest.mark.parametrize("size", [(7, 9), (8, 6), (3, 3)])
def test_bayer_gives_back_a_plain_colour(pattern, bits, big, size):
    height, width = size
    colour = dict(zip("bgr", (10, 100, 200), strict=True))
    mosaic = np.array(
        [[colour[pattern[2 * (i % 2) + j % 2]] for j in range(width)] for i in range(height)]
    )
    samples = (mosaic * (1 if bits == 8 else 257)).astype(f"{'>' if big else '<'}u{bits // 8}")
    padded = np.pad(samples, ((0, 0), (0, 2)))
    msg = SimpleNamespace(
        height=height,
        width=width,
        encoding=f"bayer_{pattern}{bits}",
        is_bigendian=big,
        step=padded.strides[0],
        data=padded.tobytes(),
    )
    assert (decode_image(msg) == (10, 100, 200)).all()


def test_bayer_keeps_every_sample_where_it_was():
    msg = message("bayer_rggb8", 12, 10, seed=3)
    mosaic = np.frombuffer(msg.data, np.uint8).reshape(10, 12)
    got = decode_image(msg)
    assert (got[2:-2:2, 2:-2:2, 2] == mosaic[2:-2:2, 2:-2:2]).all()  # red at even, even
    assert (got[3:-2:2, 3:-2:2, 0] == mosaic[3:-2:2, 3:-2:2]).all()  # blue at odd, odd
    assert (got[2:-2:2, 3:-2:2, 1] == mosaic[2:-2:2, 3:-2:2]).all()  # green elsewhere


@pytest.mark.parametrize("kind", [bytes, bytearray, lambda data: np.frombuffer(data, np.uint8)])
def test_any_kind_of_bytes_serves(kind):
    msg = message("rgb8", 5, 4)
    expected = decode_image(msg)
    msg.data = kind(bytes(msg.data))
    assert (decode_image(msg) == expected).all()


def test_unpadded_bgr8_is_not_copied():
    msg = message("bgr8", 64, 48)
    assert np.shares_memory(decode_image(msg), np.frombuffer(msg.data, np.uint8))


def test_mono16_covers_its_whole_range():
    msg = message("mono16", 3, 1)
    msg.data = np.array([0, 257 * 100, 65535], "<u2").tobytes()
    assert decode_image(msg)[0, :, 0].tolist() == [0, 100, 255]


@given(
    st.sampled_from((*ENCODINGS, "16UC1", "32FC1", "", "BGR8", "yuv444")),
    st.integers(-1, 12) | st.just(2**32 - 1),
    st.integers(-1, 12) | st.just(2**32 - 1),
    st.integers(0, 60) | st.just(2**32 - 1),
    st.booleans(),
    st.binary(max_size=600),
)
def test_any_header_with_any_data_decodes_or_raises_image_error(
    name, width, height, step, big, data
):
    msg = SimpleNamespace(
        height=height, width=width, encoding=name, is_bigendian=big, step=step, data=data
    )
    try:
        assert decode_image(msg).shape == (height, width, 3)
    except ImageError as error:
        assert error.reason in REASONS and len(str(error)) > 20


@given(st.sampled_from(ENCODINGS), st.integers(-40, 40).filter(bool))
def test_missing_and_surplus_data_are_refused(name, change):
    msg = message(name, 6, 4)
    size = len(msg.data) + change
    msg.data = (bytes(msg.data) + bytes(100))[: max(size, 0)]
    with pytest.raises(ImageError) as caught:
        decode_image(msg)
    assert caught.value.reason == "data"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"encoding": "16UC1"}, "encoding"),
        ({"encoding": ""}, "encoding"),
        ({"width": 0}, "size"),
        ({"height": 0}, "size"),
        ({"width": MAX_PIXELS, "height": 2, "step": 3 * MAX_PIXELS}, "size"),
        ({"step": 17}, "step"),
        ({"step": 0}, "step"),
        ({"data": b""}, "data"),
        ({"data": None}, "data"),
        ({"data": [1, 2, 3]}, "data"),
    ],
)
def test_reasons_are_stable(change, reason):
    msg = message("bgr8", 6, 4)
    vars(msg).update(change)
    with pytest.raises(ImageError) as caught:
        decode_image(msg)
    assert caught.value.reason == reason


def picture(extension, width=40, height=30):
    """A smooth picture and its compressed bytes."""
    noise = np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
    image = cv2.GaussianBlur(noise, (0, 0), 4)
    return image, cv2.imencode(extension, image)[1].tobytes()


def compressed(data, image_format=""):
    return SimpleNamespace(format=image_format, data=data)


@pytest.mark.parametrize("tail", [b"", bytes(64)])
@pytest.mark.parametrize(("extension", "tolerance"), [(".png", 0), (".jpg", 12)])
def test_compressed_pixels(extension, tolerance, tail):
    image, data = picture(extension)
    got = decode_compressed(compressed(array.array("B", data + tail)))
    assert got.shape == image.shape and got.dtype == np.uint8
    assert np.abs(got.astype(int) - image).max() <= tolerance


@pytest.mark.parametrize("extension", [".png", ".jpg"])
def test_compressed_grey_becomes_three_channels(extension):
    image, _ = picture(extension)
    data = cv2.imencode(extension, image[..., 0])[1].tobytes()
    got = decode_compressed(compressed(data))
    assert got.shape == (30, 40, 3) and (got[..., 0] == got[..., 2]).all()


@given(st.sampled_from([".png", ".jpg"]), st.floats(0, 1, exclude_max=True))
def test_cut_off_files_are_refused(extension, share):
    _, data = picture(extension)
    with pytest.raises(ImageError) as caught:
        decode_compressed(compressed(data[: int(share * len(data))]))
    assert caught.value.reason == "compressed"


@given(st.sampled_from([".png", ".jpg"]), st.data())
def test_damaged_files_decode_or_raise_image_error(extension, draw):
    data = bytearray(picture(extension)[1])
    for _ in range(draw.draw(st.integers(1, 5))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    try:
        assert decode_compressed(compressed(bytes(data))).ndim == 3
    except ImageError as error:
        assert error.reason in REASONS


@given(st.binary(max_size=200), st.sampled_from([b"", b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"]))
def test_noise_is_refused(noise, start):
    with pytest.raises(ImageError):
        decode_compressed(compressed(start + noise, "jpeg"))


def test_a_thumbnail_does_not_hide_a_cut():
    _, thumbnail = picture(".jpg", 8, 8)
    _, data = picture(".jpg")
    app1 = b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail
    whole = data[:2] + app1 + data[2:]
    assert decode_compressed(compressed(whole)).shape == (30, 40, 3)
    with pytest.raises(ImageError):
        decode_compressed(compressed(whole[:-100]))


def test_a_small_file_cannot_unpack_to_a_huge_picture():
    _, data = picture(".png")
    header = data[12:16] + (60000).to_bytes(4, "big") * 2 + data[24:29]
    huge = data[:12] + header + zlib.crc32(header).to_bytes(4, "big") + data[33:]
    with pytest.raises(ImageError) as caught:
        decode_compressed(compressed(huge))
    assert caught.value.reason == "size"
