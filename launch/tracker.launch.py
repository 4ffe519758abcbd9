"""Start the tracker: ros2 launch masa_ros tracker.launch.py image_topic:=/camera/image_raw"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from ament_index_python.packages import get_package_share_directory
from launch import LaunchDescription
from launch.actions import DeclareLaunchArgument, EmitEvent, OpaqueFunction, RegisterEventHandler
from launch.event_handlers import OnProcessStart
from launch.events import matches_action
from launch_ros.actions import LifecycleNode
from launch_ros.event_handlers import OnStateTransition
from launch_ros.events.lifecycle import ChangeState
from lifecycle_msgs.msg import Transition

from masa_ros import shared_memory

PARAMS_FILE = Path(get_package_share_directory("masa_ros"), "config", "tracker.yaml")
SWITCH = {"choices": ["true", "false"]}


def generate_launch_description() -> LaunchDescription:
    return LaunchDescription(
        [
            argument("params_file", str(PARAMS_FILE), "parameters of the node"),
            argument(
                "image_topic", "/camera/image_raw", "images (compressed ones: TOPIC/compressed)"
            ),
            argument(
                "detections_topic",
                "",
                "boxes of your own detector, used instead of the model's; "
                "empty: as the parameter file says",
            ),
            argument("namespace", "", "of node and topics: robot1 gives /robot1/masa/tracks"),
            argument("autostart", "true", "configure and activate the node", **SWITCH),
            argument("use_sim_time", "false", "take the time from /clock", **SWITCH),
            argument("log_level", "info", "debug, info, warn, error or fatal"),
            argument("bundle", "", "name or path of the model; empty: as the parameter file says"),
            OpaqueFunction(function=start_tracker),
        ]
    )


def argument(name: str, default: str, description: str, **more: Any) -> DeclareLaunchArgument:
    return DeclareLaunchArgument(name, default_value=default, description=description, **more)


def start_tracker(context: Any) -> list[Any]:
    """The node, and what brings it up; called with the values of the arguments."""
    given = context.launch_configurations
    params_file = Path(given["params_file"]).expanduser()
    if not params_file.is_file():  # launch would only warn, and start with the defaults
        raise FileNotFoundError(f"params_file:={params_file} is not a file")

    parameters = {"use_sim_time": given["use_sim_time"] == "true", "autostart": False}
    remappings = {
        "image": given["image_topic"],
        "image/compressed": given["image_topic"] + "/compressed",
    }
    if given["bundle"]:
        parameters["model"] = given["bundle"]
    if given["detections_topic"]:
        parameters["detector"] = "topic"
        remappings["detections"] = given["detections_topic"]

    chosen = any(name in os.environ for name in shared_memory.VARIABLES)  # by the user
    node = LifecycleNode(
        package="masa_ros",
        executable="tracker_node",
        name="masa_tracker",
        namespace=given["namespace"],
        parameters=[params_file, parameters],
        remappings=list(remappings.items()),
        ros_arguments=["--log-level", given["log_level"]],
        additional_env={} if chosen else shared_memory.profile_variables(),
        output="screen",
    )
    return [*bring_up(node), node] if given["autostart"] == "true" else [node]


def bring_up(node: LifecycleNode) -> list[RegisterEventHandler]:
    """Configure the node once it runs, activate it once it is configured."""

    def change(transition: int) -> EmitEvent:
        matcher = matches_action(node)
        event = ChangeState(lifecycle_node_matcher=matcher, transition_id=transition)
        return EmitEvent(event=event)

    started = OnProcessStart(target_action=node, on_start=[change(Transition.TRANSITION_CONFIGURE)])
    configured = OnStateTransition(
        target_lifecycle_node=node,
        start_state="configuring",
        goal_state="inactive",
        entities=[change(Transition.TRANSITION_ACTIVATE)],
    )
    return [RegisterEventHandler(started), RegisterEventHandler(configured)]
