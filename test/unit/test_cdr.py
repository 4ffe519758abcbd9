"""Stamps patched in serialised messages, against a real serialiser."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from masa_core.io.bag import bag_typestore
from masa_ros.cdr import read_stamp, write_stamp

STORE = bag_typestore()
IMAGE = "sensor_msgs/msg/CompressedImage"
stamps = st.integers(-(2**31) * 10**9, (2**31 - 1) * 10**9 + 999_999_999)


def image(stamp_ns):
    time = STORE.types["builtin_interfaces/msg/Time"](*divmod(stamp_ns, 1_000_000_000))
    header = STORE.types["std_msgs/msg/Header"](time, "camera")
    return STORE.types[IMAGE](header, "jpeg", np.arange(7, dtype=np.uint8))


@given(stamps, stamps, st.booleans())
def test_only_the_stamp_changes(before, after, little_endian):
    raw = bytes(STORE.serialize_cdr(image(before), IMAGE, little_endian=little_endian))
    assert read_stamp(raw) == before
    changed = write_stamp(raw, after)
    assert read_stamp(changed) == after
    expected = STORE.serialize_cdr(image(after), IMAGE, little_endian=little_endian)
    assert changed == bytes(expected)


@pytest.mark.parametrize("raw", [b"", b"\x00\x01\x00\x00" + bytes(7)])
def test_a_message_without_room_for_a_stamp(raw):
    with pytest.raises(ValueError, match=f"{len(raw)} bytes"):
        read_stamp(raw)
    with pytest.raises(ValueError, match=f"{len(raw)} bytes"):
        write_stamp(raw, 0)
