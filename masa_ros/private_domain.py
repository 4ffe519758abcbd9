"""A part of DDS that nobody else on this machine uses, for demonstrations and tests."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from masa_core.assets import share_path

_FIRST_TOKEN = 23_400  # the port for domain 0


@contextmanager
def private_domain() -> Iterator[dict[str, str]]:
    """Environment variables for a domain of its own, on this machine alone, so that no robot
    hears it; with shared memory of a size that images fit in.

    The domain is free again after the block: until then, a port is held as its token.
    """
    profile = str(share_path("config/fastdds_shm.xml"))
    variables = {
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "FASTDDS_DEFAULT_PROFILES_FILE": profile,
    }
    if os.environ.get("ROS_DISTRO") in ("humble", "jazzy"):  # Fast DDS 3 warns of the old name
        variables["FASTRTPS_DEFAULT_PROFILES_FILE"] = profile
    for domain in random.sample(range(1, 101), 100):  # Linux has ports for domains up to 101
        with socket.socket() as token:
            try:
                token.bind(("127.0.0.1", _FIRST_TOKEN + domain))
            except OSError:
                continue
            yield {"ROS_DOMAIN_ID": str(domain), **variables}
            return
    raise RuntimeError("all DDS domains of this machine are in use")
