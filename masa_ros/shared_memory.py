"""Fast DDS with a shared-memory segment that images fit into: config/fastdds_shm.xml."""

from __future__ import annotations

import os

from masa_core.assets import share_path

# The first is read from Kilted on, which warns of the second; Humble and Jazzy read the second.
VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")


def profile_variables() -> dict[str, str]:
    """The environment variables that make a process use it."""
    older = os.environ.get("ROS_DISTRO") in ("humble", "jazzy")
    profile = str(share_path("config/fastdds_shm.xml"))
    return dict.fromkeys(VARIABLES if older else VARIABLES[:1], profile)
