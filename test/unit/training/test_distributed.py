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


def train_quickly(folder: Path, *arguments: object, launcher: tuple[str, ...] = ()) -> str:
    """What is printed. One thread, because more of them add in another order."""
    script = Path(__file__).with_name("run_quickly.py")
    done = subprocess.run(
        [sys.executable, *launcher, str(script), *map(str, arguments)],
        cwd=ROOT,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "OMP_NUM_THREADS": "1",
            "XDG_CACHE_HOME": str(folder / "cache"),
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_two_processes_are_one_with_the_doubled_batch(tmp_path: Path) -> None:
    """Not so with batch norm, whose statistics are those of a process (on a CPU, always)."""
    path = write_config(tmp_path, onnx={"masks": True}, data={"pairs": 4, "images_per_epoch": 16})
    shared = (*("-m", "torch.distributed.run"), "--standalone", *("--nproc-per-node", "2"))
    train_quickly(tmp_path, path)
    said = train_quickly(tmp_path, path, f"run.out={tmp_path / 'two'}", launcher=shared)
    assert said.count("steps 0 to 8 of 4 pairs on 2 x cpu") == 1
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
