"""launch/tracker.launch.py: its arguments, and how it starts the node."""

from __future__ import annotations

import os
import re
import shutil
from types import SimpleNamespace

import pytest
from launch_stub import ROOT, LaunchFile

from masa_core.assets import share_path
from masa_ros.parameters import DEFAULT_PRESET, parameters


@pytest.fixture
def launch_file(monkeypatch):
    return LaunchFile(monkeypatch)


def test_every_argument_is_described(launch_file):
    assert list(launch_file.defaults) == [
        "params_file",
        "image_topic",
        "detections_topic",
        "namespace",
        "autostart",
        "use_sim_time",
        "log_level",
        "bundle",
    ]
    assert all(argument.kwargs["description"] for argument in launch_file.arguments)


def test_starts_an_executable_that_is_installed(launch_file):
    node, _ = launch_file.start()
    assert node.kwargs["package"] == "masa_ros"
    script = ROOT / "scripts" / node.kwargs["executable"]
    assert os.access(script, os.X_OK)
    assert re.search(
        rf"install\(PROGRAMS[^)]*{script.name}\b", (ROOT / "CMakeLists.txt").read_text()
    )


def test_defaults_change_no_parameter_of_the_file(launch_file):
    node, _ = launch_file.start()
    params_file, changed = node.kwargs["parameters"]
    assert params_file == share_path("config/tracker.yaml")
    assert changed == {"use_sim_time": False, "autostart": False}


def test_sets_declared_parameters_only(launch_file):
    node, _ = launch_file.start(bundle="/models/mine", detections_topic="/boxes")
    _, changed = node.kwargs["parameters"]
    known = parameters(DEFAULT_PRESET)
    own = {name: value for name, value in changed.items() if name != "use_sim_time"}
    assert own == {"autostart": False, "model": "/models/mine", "detector": "topic"}
    for name, value in own.items():
        known[name].check(value)


def test_remaps_topics(launch_file):
    node, _ = launch_file.start(image_topic="/front/image", detections_topic="/boxes")
    assert dict(node.kwargs["remappings"]) == {
        "image": "/front/image",
        "image/compressed": "/front/image/compressed",
        "detections": "/boxes",
    }


@pytest.mark.parametrize(("autostart", "handlers"), [("true", 2), ("false", 0)])
def test_brings_the_node_up_itself(launch_file, autostart, handlers):
    node, found = launch_file.start(autostart=autostart)
    assert node.kwargs["parameters"][1]["autostart"] is False  # or both would
    assert len(found) == handlers


def test_missing_params_file_is_an_error(launch_file):
    with pytest.raises(FileNotFoundError, match="params_file:=/no/such/file"):
        launch_file.start(params_file="/no/such/file")


@pytest.fixture
def shared_memory_bytes(monkeypatch):
    """Sets what is free in /dev/shm; no profile is chosen by whoever runs the tests."""
    for name in ("FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"):
        monkeypatch.delenv(name, raising=False)
    return lambda free: monkeypatch.setattr(
        shutil, "disk_usage", lambda path: SimpleNamespace(free=free)
    )


@pytest.mark.parametrize(
    ("distro", "names"),
    [
        ("kilted", {"FASTDDS_DEFAULT_PROFILES_FILE"}),
        ("jazzy", {"FASTDDS_DEFAULT_PROFILES_FILE", "FASTRTPS_DEFAULT_PROFILES_FILE"}),
    ],
)
def test_gives_fast_dds_shared_memory(launch_file, shared_memory_bytes, monkeypatch, distro, names):
    shared_memory_bytes(1 << 30)
    monkeypatch.setenv("ROS_DISTRO", distro)
    given = launch_file.start()[0].kwargs["additional_env"]
    assert given == dict.fromkeys(names, str(share_path("config/fastdds_shm.xml")))


def test_leaves_fast_dds_alone_without_room(launch_file, shared_memory_bytes):
    shared_memory_bytes(64 << 20)
    assert launch_file.start()[0].kwargs["additional_env"] == {}


def test_leaves_a_profile_of_the_user_alone(launch_file, shared_memory_bytes, monkeypatch):
    shared_memory_bytes(1 << 30)
    monkeypatch.setenv("FASTRTPS_DEFAULT_PROFILES_FILE", "/my/own.xml")
    assert launch_file.start()[0].kwargs["additional_env"] == {}
