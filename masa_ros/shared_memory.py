"""Fast DDS with a shared-memory segment that images fit into: config/fastdds_shm.xml."""

from __future__ import annotations

import os
import shutil

from masa_core.assets import share_path

# The first is read from Kilted on, which warns of the second; Humble and Jazzy read the second.
VARIABLES = ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE")

_ROOM = 256 << 20  # four processes, each with a segment of 64 MB


def profile_variables() -> dict[str, str]:
    """The environment variables that make a process use it.

    None where /dev/shm is too small, as in a container with Docker's 64 MB: Fast DDS is left to
    its defaults, which need little.
    """
    try:
        if shutil.disk_usage("/dev/shm").free < _ROOM:
            return {}
    except OSError:
        return {}
    older = os.environ.get("ROS_DISTRO") in ("humble", "jazzy")
    profile = str(share_path("config/fastdds_shm.xml"))
    return dict.fromkeys(VARIABLES if older else VARIABLES[:1], profile)
