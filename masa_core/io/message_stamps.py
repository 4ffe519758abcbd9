"""Stamps of ROS messages, those of rosbags and of rclpy, in nanoseconds."""

from __future__ import annotations

from typing import Any


def header_stamp_ns(message: Any) -> int:
    """Of a message with a header; 0 where it was not set."""
    return time_ns(message.header.stamp)


def time_ns(time: Any) -> int:
    """Of a builtin_interfaces/Time."""
    return int(time.sec) * 1_000_000_000 + int(time.nanosec)
