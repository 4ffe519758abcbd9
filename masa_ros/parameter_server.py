"""The node's parameters in rclpy: declared, refused with a reason, and followed while it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rcl_interfaces.msg import (
    FloatingPointRange,
    IntegerRange,
    ParameterDescriptor,
    SetParametersResult,
)
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from masa_core.tracking import TrackerConfig
from masa_ros.parameters import (
    PREFIX,
    Parameter,
    Settings,
    check_all,
    parameters,
    settings_of,
    tracker_config_of,
)

# Declared by rclpy itself on every node.
_FOREIGN = ("use_sim_time", "start_type_description_service")


class ParameterServer:
    """Declares all parameters on a node and keeps `settings` and `tracker_config` up to date.

    accept: called with the new settings and tracker configuration before a change is taken over;
    raises ValueError, whose text the caller of the change gets, to refuse it.

    Raises ValueError with everything that is wrong with the values the node was started with.
    """

    def __init__(self, node: Node, accept: Callable[[Settings, TrackerConfig], None]) -> None:
        self._accept = accept
        # Read here and not by rclpy, which would pass over names that nobody declares.
        given = {
            name: parameter.value
            for name, parameter in node._parameter_overrides.items()
            if name not in _FOREIGN and not name.startswith("qos_overrides.")
        }
        given = {name: value for name, value in given.items() if value is not None}  # empty lists
        self._values = check_all(given)
        self._known = parameters(self._values[PREFIX + "preset"])
        self.settings: Settings = settings_of(self._values)
        self.tracker_config: TrackerConfig = tracker_config_of(self._values)
        for name, value in self._values.items():
            descriptor = _descriptor(self._known[name])
            value = list(value) if isinstance(value, tuple) else value
            node.declare_parameter(name, value, descriptor, ignore_override=True)
        node.add_on_set_parameters_callback(self._on_set)

    def _on_set(self, changes: list[RosParameter]) -> SetParametersResult:
        """Called after rclpy has checked types, ranges and what is read-only."""
        values: dict[str, Any] = dict(self._values)
        try:
            for change in changes:
                if change.name in self._known:
                    values[change.name] = self._known[change.name].check(change.value)
            settings, config = settings_of(values), tracker_config_of(values)
            self._accept(settings, config)
        except ValueError as error:
            return SetParametersResult(successful=False, reason=str(error))
        self._values, self.settings, self.tracker_config = values, settings, config
        return SetParametersResult(successful=True)


def _descriptor(parameter: Parameter) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(
        name=parameter.name, description=parameter.text, read_only=parameter.read_only
    )
    if parameter.choices:
        descriptor.additional_constraints = f"one of {', '.join(parameter.choices)}"
    if parameter.low is None or parameter.high is None:
        return descriptor
    if isinstance(parameter.default, int):
        bounds = IntegerRange(from_value=int(parameter.low), to_value=int(parameter.high))
        descriptor.integer_range = [bounds]
    else:
        bounds = FloatingPointRange(from_value=parameter.low, to_value=parameter.high)
        descriptor.floating_point_range = [bounds]
    return descriptor
