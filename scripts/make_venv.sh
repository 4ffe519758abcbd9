#!/bin/sh
# Make the virtual environment of the Makefile in folder $1, or say in one sentence why not.
# With a sourced ROS 2 it sees the system's packages; else ROS 2 will come from PyPI.
set -eu
venv=$1

fail() {
    echo "masa_ros: $*" >&2
    exit 1
}

if [ -n "${ROS_DISTRO:-}" ]; then
    wanted="a Python from 3.10 on that can import rclpy of the sourced ROS 2 $ROS_DISTRO"
    suitable="import sys, rclpy; sys.exit(sys.version_info < (3, 10))"
else
    wanted="Python 3.10, 3.11 or 3.12, for which ROS 2 is on PyPI"
    suitable="import sys; sys.exit(sys.version_info[:2] not in ((3, 10), (3, 11), (3, 12)))"
fi

python=
for name in ${PYTHON:-python3 python3.12 python3.11 python3.10}; do
    if "$name" -c "$suitable" 2>/dev/null; then
        python=$("$name" -c "import sys; print(sys.executable)")
        break
    fi
done
[ -n "$python" ] || fail "needs $wanted, and ${PYTHON:-python3} is not:" \
    "install one, or name it with 'make PYTHON=/path/to/python3'."

if [ -z "${ROS_DISTRO:-}" ]; then
    machine=$("$python" -c "import sysconfig; print(sysconfig.get_platform())")
    [ "$machine" = linux-x86_64 ] || fail "ROS 2 is on PyPI for x86_64 Linux, not for $machine:" \
        "source a ROS 2 installation (source /opt/ros/<distro>/setup.bash) and call make again."
fi

version=$("$python" -c "import sys; print('%d.%d' % sys.version_info[:2])")
header="import os, sysconfig; open(os.path.join(sysconfig.get_path('include'), 'Python.h'))"
missing=
{ command -v cc && command -v c++; } >/dev/null || missing="$missing g++"
"$python" -c "import ensurepip, venv" 2>/dev/null || missing="$missing python$version-venv"
"$python" -c "$header" 2>/dev/null || missing="$missing python$version-dev"
if [ -n "$missing" ]; then
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null ||
        fail "needs a C++ compiler and Python's venv and headers: sudo apt install$missing"
    echo "masa_ros: installing$missing"
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive \
        apt-get -qq install --no-install-recommends $missing; } >/dev/null ||
        fail "apt-get could not install$missing (its message is above)."
fi

rm -rf "$venv"
"$python" -m venv ${ROS_DISTRO:+--system-site-packages} "$venv"

# ROS 2 packages that were compiled for NumPy 1 must not meet NumPy 2.
limit="import numpy; print('numpy<2' if numpy.__version__.startswith('1.') else '')"
"$venv/bin/python" -c "$limit" >"$venv/constraints.txt" 2>/dev/null || :
