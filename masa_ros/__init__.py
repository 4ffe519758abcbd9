# The messages (masa_ros.msg, masa_ros.srv) are built elsewhere and share this package's name.
from __future__ import annotations

__path__ = __import__("pkgutil").extend_path(__path__, __name__)
