"""A Python module run as a process of its own, its output kept in a file, ended with the block."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

_PATIENCE_S = 10.0  # for each of the signals that ask it to end


class ChildProcess:
    """`python -m MODULE ARGUMENTS...` in its own process group: Ctrl-C reaches its parent alone.

    log: the file that takes its output and errors.
    """

    def __init__(self, module: str, *arguments: str, log: Path) -> None:
        self.module = module
        self.log = log
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-u", "-m", module, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def poll(self) -> int | None:
        """Its exit code, None while it runs."""
        return self._process.poll()

    def stop(self) -> int:
        """Asks it to end as Ctrl-C does, then less politely; its exit code."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if self.poll() is None:
                self._process.send_signal(number)
            try:
                return self._process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                continue
        return self._process.wait()

    def __enter__(self) -> ChildProcess:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()
