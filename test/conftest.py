"""What all tests share: ROS 2 on this machine alone, on a DDS domain that nobody else uses."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

from masa_ros.private_domain import private_domain

settings.register_profile("masa", deadline=None)  # a busy machine is no failure
settings.load_profile("masa")

if Path(sys.prefix, "share", "ament_index").is_dir():  # a virtual environment with ROS 2
    os.environ.setdefault("AMENT_PREFIX_PATH", sys.prefix)


@pytest.fixture(scope="session", autouse=True)
def _private_ros() -> Iterator[None]:
    """For this process (one of several, with pytest-xdist) and those that it starts."""
    with private_domain() as variables:
        os.environ.update(variables)
        yield
