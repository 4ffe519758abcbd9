"""Two processes learn what one learns from the same batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tensorboard")

from tiny import write_config  # noqa: E402

from training import checkpoint, train  # noqa: E402

pytestmark = pytest.mark.torch
ROOT = Path(__file__).parents[3]


@pytest.mark.slow
def test_two_processes_are_one_with_the_doubled_batch(tmp_path: Path, monkeypatch) -> None:
    """Not so with batch norm, whose statistics are those of a process (on a CPU, always)."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(train, "finish", lambda state: "done")
    path = write_config(tmp_path, onnx={"masks": True}, data={"pairs": 4, "images_per_epoch": 16})
    assert train.main([str(path)]) == 0
    script = Path(__file__).with_name("run_quickly.py")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--standalone"),
            *("--nproc-per-node", "2", script, path, f"run.out={tmp_path / 'two'}"),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("steps 0 to 8 of 4 pairs on 2 x cpu") == 1
    one, two = (
        checkpoint.read(checkpoint.checkpoints(tmp_path / name / "checkpoints")[-1])
        for name in ("run", "two")
    )
    assert one.step == two.step == 8
    for name, tensor in one.group("learner").items():
        torch.testing.assert_close(two.group("learner")[name], tensor, rtol=1e-4, atol=1e-6)


def test_a_batch_that_cannot_be_shared_is_refused(tmp_path: Path, capsys) -> None:
    path = write_config(tmp_path)
    assert train.main([str(path), "run.accumulate=3"]) == 1
    assert "make it a multiple of 3" in capsys.readouterr().err
