"""Training elsewhere than on the CPU: nothing is forgotten there. (GPUs are seldom at hand.)"""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("tensorboard")

from other_device import DEVICE, Tensor, other_device  # noqa: E402
from small_masa import small_masa  # noqa: E402
from tiny import write_config  # noqa: E402

from training import checkpoint, train  # noqa: E402
from training.build import build_learner  # noqa: E402
from training.config import read_config  # noqa: E402
from training.distributed import World  # noqa: E402
from training.lean_deform_conv import lean_deform_conv  # noqa: E402
from training.model import Learner  # noqa: E402

pytestmark = pytest.mark.torch
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _quick(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(train, "finish", lambda state: "done")
    monkeypatch.setattr(train.DeformConv, "operator", staticmethod(lean_deform_conv))


@pytest.mark.parametrize("published", [False, True], ids=["onnx, with masks", "published"])
def test_a_run_there_forgets_nothing_here(tmp_path: Path, published: bool) -> None:
    path = write_config(tmp_path, onnx={"masks": True})
    config = read_config(path, ["optimizer.kind=adamw", "optimizer.lr=0.001", "run.ema=0.5"])
    last = []
    for _ in range(2):  # anew, and from a checkpoint
        with other_device():
            learner = Learner(small_masa()) if published else build_learner(config, CPU)[0]
            assert train.run(config, World(0, 1, DEVICE), learner.to(DEVICE)) == 0
        found = checkpoint.checkpoints(config.folder / "checkpoints")[-1]
        last.append(checkpoint.read(found).tensors)
        found.unlink()
    for name, tensor in last[0].items():
        assert torch.equal(last[1][name], tensor), name


def test_what_is_forgotten_here_is_found() -> None:
    with other_device():
        there = torch.ones(3, device=DEVICE)
        assert isinstance(there, Tensor) and (there + 1).cpu().tolist() == [2, 2, 2]
        with pytest.raises(RuntimeError, match="are on the CPU, others are not"):
            there + torch.ones(3)
        with pytest.raises(RuntimeError):
            there.numpy()
