"""The header stamp of a serialised message (CDR), read and written without decoding the rest.

Every message that starts with std_msgs/Header has its stamp at the same place: after the four
bytes that name the encoding come int32 sec and uint32 nanosec.
"""

from __future__ import annotations

import struct


def read_stamp(raw: bytes) -> int:
    """Stamp in ns. Raises ValueError where the message is too short to hold one."""
    _check(raw)
    sec, nanosec = struct.unpack_from(_order(raw) + "iI", raw, 4)
    return int(sec) * 1_000_000_000 + int(nanosec)


def write_stamp(raw: bytes, stamp_ns: int) -> bytes:
    """A copy with this stamp. Raises ValueError as `read_stamp`."""
    _check(raw)
    copy = bytearray(raw)
    struct.pack_into(_order(raw) + "iI", copy, 4, *divmod(stamp_ns, 1_000_000_000))
    return bytes(copy)


def _order(raw: bytes) -> str:
    return "<" if raw[1] & 1 else ">"


def _check(raw: bytes) -> None:
    if len(raw) < 12:
        raise ValueError(f"a message of {len(raw)} bytes has no header")
