"""The part of the pip build that pyproject.toml cannot say: messages and shared files.

With ROS 2 build tools at hand (a sourced ROS 2, or the wheels of the extra "ros") CMake builds the
messages and they become part of the wheel; without them, or with MASA_ROS_MESSAGES=0, the wheel is
the library and the `masa` command. colcon does not read this file.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from setuptools import Distribution, setup
from setuptools.command.build_py import build_py

ROOT = Path(__file__).resolve().parent
SHARED = ("assets", "config", "launch", "msg", "srv")


def ros_prefixes() -> list[str]:
    """Where ROS 2 lies, if the build tools for messages are there and wanted."""
    if os.environ.get("MASA_ROS_MESSAGES") == "0":
        return []
    named = os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)
    prefixes = list(dict.fromkeys(prefix for prefix in [*named, sys.prefix] if prefix))
    tools = "share/rosidl_default_generators/cmake"
    return prefixes if any(Path(prefix, tools).is_dir() for prefix in prefixes) else []


def run_cmake(prefixes: list[str], work: Path) -> Path:
    """Build and install the ROS package; returns the folder that it was installed to."""
    # pip's isolated build hides the environment that ROS 2 lies in: show it to CMake again.
    python = f"python{sys.version_info.major}.{sys.version_info.minor}"
    homes = ("lib/{}/site-packages", "local/lib/{}/dist-packages")
    modules = [Path(prefix, home.format(python)) for prefix in prefixes for home in homes]
    env = dict(
        os.environ,
        AMENT_PREFIX_PATH=os.pathsep.join(prefixes),
        CMAKE_PREFIX_PATH=os.pathsep.join(prefixes),
        PATH=os.pathsep.join([str(Path(sys.prefix, "bin")), os.environ.get("PATH", "")]),
        PYTHONPATH=os.pathsep.join(str(path) for path in modules if path.is_dir()),
    )
    stage = work / "stage"
    shutil.rmtree(stage, ignore_errors=True)
    (work / "CMakeCache.txt").unlink(missing_ok=True)  # it may remember another ROS 2
    configure = ["cmake", "-S", ROOT, "-B", work, f"-DCMAKE_INSTALL_PREFIX={stage}"]
    configure += ["-DPYTHON_INSTALL_DIR=python", "-DBUILD_TESTING=OFF"]
    configure += [f"-DPython3_EXECUTABLE={sys.executable}"]
    if shutil.which("ninja", path=env["PATH"]):
        configure += ["-G", "Ninja"]
    build = ["cmake", "--build", work, "--target", "install", "--parallel", str(os.cpu_count())]
    try:
        subprocess.run(configure, env=env, check=True)
        subprocess.run(build, env=env, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(
            f"masa_ros: the ROS messages could not be built with {os.pathsep.join(prefixes)} "
            f"({error}); MASA_ROS_MESSAGES=0 installs the library without them"
        ) from error
    return stage


def share(files: list[Path], source: Path, target: str) -> None:
    """Let the wheel hold files of ``source`` under ``target`` of the environment."""
    for path in files:
        folder = os.path.join(target, os.path.relpath(path.parent, source))
        data_files.append((os.path.normpath(folder), [os.path.relpath(path, ROOT)]))


def files_of(folder: Path) -> list[Path]:
    kept = (path for path in sorted(folder.rglob("*")) if "__pycache__" not in path.parts)
    return [path for path in kept if path.is_file()]


class BuildWithMessages(build_py):
    def run(self) -> None:
        super().run()
        prefixes = ros_prefixes()
        if not prefixes:
            for name in SHARED:
                share(files_of(ROOT / name), ROOT, "share/masa_ros")
            return
        base = Path(self.get_finalized_command("build").build_base).resolve()
        stage = run_cmake(prefixes, base / f"messages-{sys.implementation.cache_tag}")
        for top in ("include", "lib", "share"):
            share(files_of(stage / top), stage, ".")
        python = stage / "python"
        generated = [
            path for path in files_of(python / "masa_ros") if not self.in_checkout(path, python)
        ]
        if self.editable_mode:  # masa_ros itself stays in the checkout and finds these beside it
            home = os.path.relpath(sysconfig.get_path("purelib"), sysconfig.get_path("data"))
            share(generated, python, home)
            return
        for path in generated:
            target = Path(self.build_lib) / path.relative_to(python)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, target)

    @staticmethod
    def in_checkout(path: Path, python: Path) -> bool:
        return (ROOT / path.relative_to(python)).exists()


class RosDistribution(Distribution):
    def has_ext_modules(self) -> bool:
        return bool(ros_prefixes())

    def has_data(self) -> bool:  # asked by an editable installation, which else leaves them out
        return self.has_data_files()


data_files: list[tuple[str, list[str]]] = []
setup(
    data_files=data_files,
    cmdclass={"build_py": BuildWithMessages},
    distclass=RosDistribution,
)
