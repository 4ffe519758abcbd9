"""A part of DDS that nobody else on this machine uses, for demonstrations and tests."""

from __future__ import annotations

import os
import random
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from masa_ros.shared_memory import profile_variables

_FIRST_TOKEN = 23_400  # the port for domain 0
_THIS_MACHINE = (
    {"ROS_LOCALHOST_ONLY": "1"}
    if os.environ.get("ROS_DISTRO") == "humble"
    else {"ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
)


@contextmanager
def private_domain() -> Iterator[dict[str, str]]:
    """Environment variables for a domain of its own, on this machine alone, so that no robot
    hears it; with shared memory of a size that images fit in.

    The domain is free again after the block: until then, a port is held as its token.
    """
    variables = {**_THIS_MACHINE, **profile_variables()}
    for domain in random.sample(range(1, 101), 100):  # Linux has ports for domains up to 101
        with socket.socket() as token:
            try:
                token.bind(("127.0.0.1", _FIRST_TOKEN + domain))
            except OSError:
                continue
            yield {"ROS_DOMAIN_ID": str(domain), **variables}
            return
    raise RuntimeError("all DDS domains of this machine are in use")
