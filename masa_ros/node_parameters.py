"""The parameters of another node, asked for through its services."""

from __future__ import annotations

from typing import Any

from rcl_interfaces.msg import Parameter as Message
from rcl_interfaces.srv import GetParameters, ListParameters
from rclpy.parameter import Parameter

from masa_ros.listener import Listener


def read_parameters(listener: Listener, node: str, seconds: float) -> dict[str, Any] | None:
    """Name to value; None where the node does not answer in time."""
    listed = _call(listener, ListParameters, f"{node}/list_parameters", {}, seconds)
    if listed is None:
        return None
    names = [name for name in listed.result.names if not name.startswith("qos_overrides")]
    found = _call(listener, GetParameters, f"{node}/get_parameters", {"names": names}, seconds)
    if found is None:
        return None
    messages = (Message(name=n, value=v) for n, v in zip(names, found.values, strict=True))
    return {message.name: Parameter.from_parameter_msg(message).value for message in messages}


def _call(
    listener: Listener, kind: Any, service: str, request: dict[str, Any], seconds: float
) -> Any:
    """The answer of a service, None where none comes."""
    client = listener.node.create_client(kind, service)
    try:
        if not listener.wait(client.service_is_ready, seconds):
            return None
        future = client.call_async(kind.Request(**request))
        return future.result() if listener.wait(future.done, seconds) else None
    finally:
        listener.node.destroy_client(client)
