"""Masks: compact storage of binary masks as crops and run lengths."""

from __future__ import annotations

from masa_core.masks.compact import (
    decode_mask,
    decode_runs,
    encode_mask,
    encode_runs,
    mask_boxes,
    part_in_frame,
    paste_mask,
)

__all__ = [
    "decode_mask",
    "decode_runs",
    "encode_mask",
    "encode_runs",
    "mask_boxes",
    "part_in_frame",
    "paste_mask",
]
