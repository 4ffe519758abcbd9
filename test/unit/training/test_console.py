"""How a command of training ends at Ctrl-C."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

COMMAND = """
import time
from training.console import exit_with

def main():
    print("begun", flush=True)
    time.sleep(60)

if __name__ == "__main__":
    exit_with(main)
"""


def test_an_interrupted_command_says_so_in_a_line(tmp_path: Path) -> None:
    (tmp_path / "long").mkdir()
    (tmp_path / "long" / "__main__.py").write_text(COMMAND)
    path = os.pathsep.join((str(tmp_path), str(Path(__file__).parents[3])))
    process = subprocess.Popen(
        [sys.executable, "-m", "long"],
        env=os.environ | {"PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None and process.stdout.readline() == "begun\n"
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=20)
    assert (process.returncode, said) == (130, "long: interrupted\n")
