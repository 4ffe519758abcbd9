"""`masa demo`: the ROS 2 demonstration of masa_ros."""

from __future__ import annotations

import argparse
from importlib import import_module

from masa_core.commands import CommandError

_REMEDY = (
    "source your ROS 2 and build this package with colcon, or pip install 'masa_ros[ros]' from a "
    "checkout on x86_64 Linux (`make demo` does that by itself)"
)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "demo",
        help="play a short drive through ROS 2 and track it; takes the options of masa_ros.demo",
        add_help=False,  # --help is passed on, too
    )
    parser.set_defaults(run=run, passes_on=True)


def run(args: argparse.Namespace) -> int:
    for module in ("rclpy", "masa_ros.msg"):
        try:
            import_module(module)
        except ImportError as error:
            raise CommandError(f"the demo needs ROS 2 ({error}): {_REMEDY}") from error
    # By name, because the library must not depend on its ROS part.
    return int(import_module("masa_ros.demo").main(args.rest))
