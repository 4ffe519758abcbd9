"""Checkpoints are whole or not there, and hold an optimizer's state to the bit."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

from safetensors import SafetensorError  # noqa: E402

from training import checkpoint  # noqa: E402

pytestmark = pytest.mark.torch


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_the_last_ones_are_kept(tmp_path: Path) -> None:
    for step in (2, 4, 10, 100):
        value = {"w": torch.tensor([float(step)])}
        checkpoint.save(tmp_path, step, {"learner": value}, {"skipped": step}, keep=2)
    assert names(tmp_path) == ["step-00000010.safetensors", "step-00000100.safetensors"]
    found = checkpoint.read(checkpoint.checkpoints(tmp_path)[-1])
    assert found.step == 100 and found.numbers == {"skipped": 100}
    assert torch.equal(found.group("learner")["w"], torch.tensor([100.0]))


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (OSError("no space left"), "no space"),
        (SafetensorError("I/O error: No space left"), r"00000002.*cannot be written.*: make room"),
    ],
)
def test_one_that_cannot_be_written_leaves_those_before(
    tmp_path: Path, monkeypatch, error: Exception, told: str
) -> None:
    checkpoint.save(tmp_path, 1, {"a": {"w": torch.ones(3)}}, {}, keep=1)
    before = names(tmp_path)

    def torn(tensors, path, metadata):
        Path(path).write_bytes(b"half")
        raise error

    monkeypatch.setattr(checkpoint, "save_file", torn)
    with pytest.raises((OSError, checkpoint.CheckpointError), match=told):
        checkpoint.save(tmp_path, 2, {"a": {"w": torch.ones(3)}}, {}, keep=1)
    assert names(tmp_path) == before


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_an_optimizer_goes_on_to_the_bit(tmp_path: Path, kind: str) -> None:
    def build():
        torch.manual_seed(0)
        weight = torch.nn.Parameter(torch.randn(5))
        if kind == "sgd":
            return weight, torch.optim.SGD([weight], 0.1, momentum=0.9)
        return weight, torch.optim.AdamW([weight], 0.1)

    def step(weight, optimizer) -> None:
        optimizer.zero_grad()
        (weight**3).sum().backward()
        optimizer.step()

    weight, optimizer = build()
    for _ in range(3):
        step(weight, optimizer)
    tensors, numbers = checkpoint.optimizer_state(optimizer)
    groups = {"learner": {"w": weight.data}, "optimizer": tensors}
    path = checkpoint.save(tmp_path, 3, groups, {"optimizer": numbers}, keep=1)
    step(weight, optimizer)

    found = checkpoint.read(path)
    other, second = build()
    other.data.copy_(found.group("learner")["w"])
    checkpoint.load_optimizer(second, found.group("optimizer"), found.numbers["optimizer"])
    step(other, second)
    assert torch.equal(other, weight)
