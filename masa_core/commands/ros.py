"""What commands that need ROS 2 say where there is none."""

from __future__ import annotations

from importlib import import_module

from masa_core.commands import CommandError

_REMEDY = (
    "source your ROS 2 and build this package with colcon, or pip install 'masa_ros[ros]' from a "
    "checkout on x86_64 Linux (`make demo` does that by itself)"
)


def require_ros(what: str) -> None:
    """what: begin of the sentence. Raises CommandError without rclpy or this package's messages."""
    for module in ("rclpy", "masa_ros.msg"):
        try:
            import_module(module)
        except ImportError as error:
            raise CommandError(f"{what} needs ROS 2 ({error}): {_REMEDY}") from error
