"""`masa demo`: the ROS 2 demonstration of masa_ros."""

from __future__ import annotations

import argparse
from importlib import import_module

from masa_core.commands.ros import require_ros


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = subparsers.add_parser(
        "demo",
        help="play a short drive through ROS 2 and track it; takes the options of masa_ros.demo",
        add_help=False,  # --help is passed on, too
    )
    parser.set_defaults(run=run, passes_on=True)


def run(args: argparse.Namespace) -> int:
    require_ros("the demo")
    # By name, because the library must not depend on its ROS part.
    return int(import_module("masa_ros.demo").main(args.rest))
