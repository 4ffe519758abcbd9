"""What is installed and what it says of itself."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

import masa_core
from masa_core.assets import asset_path, share_path

ROOT = Path(__file__).parents[2]


def test_package_xml_is_valid():
    package = pytest.importorskip("catkin_pkg.package")
    parsed = package.parse_package(str(ROOT / "package.xml"))
    warnings: list[str] = []
    parsed.validate(warnings=warnings)
    assert warnings == []
    assert parsed.licenses == ["Apache-2.0"]
    version = re.search(r'^version = "(.+)"$', (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert parsed.version == version[1]


def test_all_interfaces_are_built():
    text = (ROOT / "CMakeLists.txt").read_text()
    built = set(re.findall(r'"((?:msg|srv)/\w+\.(?:msg|srv))"', text))
    found = {*ROOT.glob("msg/*.msg"), *ROOT.glob("srv/*.srv")}
    assert built == {path.relative_to(ROOT).as_posix() for path in found}


def test_executables_are_installed():
    (listed,) = re.findall(
        r"install\(PROGRAMS([^)]*)DESTINATION", (ROOT / "CMakeLists.txt").read_text()
    )
    scripts = {f"scripts/{path.name}" for path in (ROOT / "scripts").iterdir() if not path.suffix}
    assert set(listed.split()) == scripts


@pytest.mark.parametrize("name", ["masa_core", "masa_core.structures", "masa_core.cli"])
def test_import_is_light(name):
    heavy = ["torch", "torchvision", "onnxruntime", "rclpy", "rosbags", "transformers", "masa_ros"]
    code = f"import sys, {name}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stdout + done.stderr


def test_import_needs_no_opencv():
    code = "import sys; sys.modules['cv2'] = None; import masa_core, masa_core.masks"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_names_are_found_on_demand():
    assert masa_core.tracking.TrackerConfig
    assert set(masa_core.__all__) <= set(dir(masa_core))
    for name in masa_core.__all__:
        assert getattr(masa_core, name)
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = masa_core.no_such_name


def test_shared_files_are_found():
    assert (asset_path("nanodet_masa") / "bundle.yaml").is_file()
    assert share_path("config/fastdds_shm.xml").is_file()
    with pytest.raises(FileNotFoundError, match="assets/no_such_bundle"):
        asset_path("no_such_bundle")


def test_shared_files_are_found_where_it_is_installed(tmp_path):
    """As pip, CMake and colcon lay them: PREFIX/lib/python3.x/site-packages, PREFIX/share."""
    package = tmp_path / "lib" / "python3.11" / "site-packages" / "masa_core"
    package.mkdir(parents=True)
    for name in ("__init__.py", "assets.py", "structures.py"):
        (package / name).write_text((ROOT / "masa_core" / name).read_text())
    shared = tmp_path / "share" / "masa_ros" / "assets" / "some_bundle"
    shared.mkdir(parents=True)
    code = "from masa_core.assets import asset_path; print(asset_path('some_bundle'))"
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, cwd=package.parent, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(shared)
