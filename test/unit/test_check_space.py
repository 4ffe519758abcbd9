"""scripts/check_space.sh, with a `df` that says what a test wants."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "check_space.sh"
# /one and /two are mounted folders; their free space is in GB in $ONE and $TWO.
DF = """#!/bin/sh
case $2 in /one*) at=/one free=$ONE ;; *) at=/two free=$TWO ;; esac
echo "Filesystem 1024-blocks Used Available Capacity Mounted on"
echo "disk$at 0 0 ${free}000000 0% $at"
"""


@pytest.fixture
def check(tmp_path):
    (tmp_path / "df").write_text(DF)
    (tmp_path / "df").chmod(0o755)

    def run(temporary, one, two):
        path = f"{tmp_path}:{os.environ['PATH']}"
        more = {"PATH": path, "TMPDIR": temporary, "ONE": str(one), "TWO": str(two)}
        command = ["sh", str(SCRIPT), "/one/venv"]
        done = subprocess.run(command, env=os.environ | more, capture_output=True, text=True)
        assert (done.returncode == 0) == (done.stderr == "")
        return done.stderr

    return run


def test_one_file_system_holds_both(check):
    assert check("/one/tmp", 10, 0) == ""
    assert "10 GB in /one/venv, and 9 GB are free" in check("/one/tmp", 9, 99)


def test_two_file_systems_are_checked_each(check):
    assert check("/two/tmp", 7, 3) == ""
    assert "7 GB in /one/venv, and 6 GB" in check("/two/tmp", 6, 99)
    assert "3 GB in /two/tmp, and 2 GB are free there: make room, or" in check("/two/tmp", 7, 2)
