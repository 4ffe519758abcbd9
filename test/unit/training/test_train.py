"""The training loop: it learns, stops, goes on, and survives numbers that are none."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")
pytest.importorskip("tensorboard")
pytest.importorskip("onnxscript")

from small_masa import small_masa  # noqa: E402
from tiny import write_config  # noqa: E402

from masa_core.models.checkpoints import load_official  # noqa: E402
from masa_core.runtime.ort import OrtModel  # noqa: E402
from training import checkpoint, train  # noqa: E402
from training.build import build_learner  # noqa: E402
from training.config import Config, read_config  # noqa: E402
from training.dataset import ViewPairs, batch_numbers, collate, mixup_is_on  # noqa: E402
from training.distributed import World  # noqa: E402
from training.index import open_index  # noqa: E402
from training.model import Learner  # noqa: E402
from training.optimizer import learning_rate  # noqa: E402

pytestmark = pytest.mark.torch
ROOT = Path(__file__).parents[3]
CPU = torch.device("cpu")


@pytest.fixture(autouse=True)
def _apart(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def quick(monkeypatch):
    """Training without the export at its end, which takes longer than all the rest."""
    monkeypatch.setattr(train, "finish", lambda state: "done")


def last(folder: Path) -> checkpoint.Checkpoint:
    return checkpoint.read(checkpoint.checkpoints(folder / "run" / "checkpoints")[-1])


def batch_of(config: Config):
    folders = list(config.data.folders)
    pairs = ViewPairs(config, open_index(folders, list(config.data.folders.values())))
    return collate([pairs[number] for number in range(config.data.pairs)])


def losses_while_fitting(learner: Learner, batch, steps: int, rate: float) -> list[float]:
    learner.train()
    optimizer = torch.optim.AdamW(learner.trained().values(), rate)
    found = []
    for _ in range(steps):
        optimizer.zero_grad()
        loss = sum(learner(batch).values())
        loss.backward()
        optimizer.step()
        found.append(float(loss.detach()))
    return found


def test_an_adapter_on_a_frozen_onnx_graph_overfits_one_batch(tmp_path: Path) -> None:
    config = read_config(write_config(tmp_path, onnx={"masks": True}))
    learner, _ = build_learner(config, CPU)
    losses = losses_while_fitting(learner, batch_of(config), 15, 5e-3)
    assert losses[-1] < 0.8 * losses[0]


def test_a_model_like_the_published_ones_overfits_one_batch(tmp_path: Path) -> None:
    config = read_config(write_config(tmp_path))
    losses = losses_while_fitting(Learner(small_masa()), batch_of(config), 8, 2e-3)
    assert losses[-1] < 0.8 * losses[0]


def test_a_published_model_is_trained_and_its_file_is_read_back(tmp_path: Path, capsys) -> None:
    """But for its size: the settings name masa_r50, the loop is given a small one."""
    path = write_config(tmp_path)
    content = yaml.safe_load(path.read_text())
    del content["onnx"]
    path.write_text(yaml.safe_dump(content | {"model": {"name": "masa_r50"}}, sort_keys=False))
    config = read_config(path, ["schedule.epochs=1", "run.ema=0.5"])
    assert train.run(config, World(0, 1, CPU), Learner(small_masa())) == 0
    found = tmp_path / "run" / "tiny.safetensors"
    assert f"--weights {found}" in capsys.readouterr().out
    model = small_masa()
    assert load_official(model, found).clean
    ema = last(tmp_path).group("ema")
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, ema[f"model.{name}"]), name
    assert "4 steps of 2 pairs" in found.with_suffix(".yaml").read_text()


@pytest.mark.slow
def test_killed_it_goes_on_to_the_bit(tmp_path: Path, quick) -> None:
    settings = ["optimizer.kind=adamw", "run.ema=0.9", "schedule.epochs=6", "optimizer.lr=1e-2"]
    path = write_config(tmp_path)
    own = [str(path), *settings, "run.checkpoint_every=2"]
    command = [sys.executable, "-m", "training.train", *own]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)
    folder = tmp_path / "run" / "checkpoints"
    deadline = time.monotonic() + 120
    while not checkpoint.checkpoints(folder) and time.monotonic() < deadline:
        time.sleep(0.01)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL, "it was to be killed in the middle"
    killed_at = checkpoint.read(checkpoint.checkpoints(folder)[-1]).step
    assert 0 < killed_at < 24

    assert train.main(own) == 0
    resumed = last(tmp_path)
    (tmp_path / "run").rename(tmp_path / "first")
    assert train.main(own) == 0
    whole = last(tmp_path)
    assert resumed.step == whole.step == 24
    assert resumed.tensors.keys() == whole.tensors.keys()
    for name, tensor in whole.tensors.items():
        assert torch.equal(tensor, resumed.tensors[name]), name
    assert any(name.startswith("ema/") for name in whole.tensors)


def test_ctrl_c_saves_and_says_how_to_go_on(tmp_path: Path, quick, monkeypatch, capsys) -> None:
    path = write_config(tmp_path)

    def interrupted(step: int, config: Config) -> float:
        if step == 4:
            signal.raise_signal(signal.SIGINT)
        return learning_rate(step, config)

    monkeypatch.setattr(train, "learning_rate", interrupted)
    assert train.main([str(path)]) == 130
    assert last(tmp_path).step == 5
    assert "the same command goes on" in capsys.readouterr().out
    monkeypatch.undo()
    monkeypatch.setattr(train, "finish", lambda state: "done")
    assert train.main([str(path)]) == 0
    assert "step-00000005" in capsys.readouterr().out
    assert last(tmp_path).step == 8


@pytest.mark.parametrize("workers", [0, 1])
def test_data_that_cannot_be_used_are_one_sentence(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], workers: int
) -> None:
    path = write_config(tmp_path, data={"workers": workers})
    for image in (tmp_path / "images").glob("*.png"):
        image.write_bytes(b"no image")
    assert train.main([str(path)]) == 1
    error = capsys.readouterr().err.splitlines()[-1]
    assert error.startswith(
        "training: 15 images drawn one after the other cannot be used, the last"
    )
    assert error.endswith("training.check says what is wrong with the data")


def test_json_files_may_lie_elsewhere(tmp_path: Path, quick) -> None:
    path = write_config(tmp_path)
    images, other = tmp_path / "images", tmp_path / "json"
    other.mkdir()
    for file in images.glob("*.json"):
        file.rename(other / file.name)
    assert train.main([str(path)]) == 1
    assert train.main([str(path), f"data.segments={{{images}: {other}}}"]) == 0


def test_a_clip_without_labels_is_refused_before_the_first_step(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write_config(tmp_path)
    truth = tmp_path / "gt.txt"
    truth.write_text("99,1,2,2,20,20,1,1,1\n")  # the clip has four frames
    validation = f"validation={{clip: {tmp_path / 'images'}, truth: {truth}}}"
    assert train.main([str(path), validation]) == 1
    assert "no frame of" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_another_run_does_not_go_on_from_this_ones_checkpoint(
    tmp_path: Path, quick, capsys
) -> None:
    path = write_config(tmp_path, schedule={"epochs": 1})
    assert train.main([str(path)]) == 0
    assert train.main([str(path), "views.flip=false"]) == 1
    assert "views.flip = True, not False" in capsys.readouterr().err
    newest = checkpoint.checkpoints(tmp_path / "run" / "checkpoints")[-1]
    newest.write_bytes(newest.read_bytes()[:1000])
    assert train.main([str(path)]) == 1
    assert "delete it to go on from the one before" in capsys.readouterr().err


@pytest.mark.parametrize(("bad", "code"), [([3], 0), ([3, 4, 5], 1)])
def test_a_loss_that_is_no_number_is_left_out_and_counted(
    tmp_path: Path, quick, monkeypatch, capsys, bad: list[int], code: int
) -> None:
    path = write_config(tmp_path, run={"stop_after": 3}, onnx={"batch_norm": "local"})
    forward, calls = Learner.forward, iter(range(100))

    def poisoned(self, batch):
        losses = forward(self, batch)
        return (
            losses | {"loss_track": losses["loss_track"] * float("nan")}
            if (next(calls) in bad)
            else losses
        )

    monkeypatch.setattr(Learner, "forward", poisoned)
    assert train.main([str(path)]) == code
    output = capsys.readouterr()
    assert "step 3: loss or gradient is no number" in output.out
    found = last(tmp_path)
    assert all(torch.isfinite(t).all() for t in found.tensors.values() if t.is_floating_point())
    if code:
        assert "the last 3 steps, up to step 6" in output.err and "optimizer.lr" in output.err
    else:
        assert found.numbers["skipped"] == 1


def test_the_published_phases(tmp_path: Path, quick, monkeypatch) -> None:
    """MixUp rests in the last full epoch; then the track head learns alone."""
    phases = {"epochs": 2, "without_mixup": 1, "track_head_epochs": 1, "warmup_steps": 0}
    path = write_config(tmp_path, schedule=phases, run={"checkpoint_every": 4, "keep": 5})
    config = read_config(path)
    assert [mixup_is_on(config, step) for step in (0, 3, 4, 7, 8)] == [1, 1, 0, 0, 1]
    rates = [learning_rate(step, config) for step in (0, 4, 8)]
    base = 0.5 * 2 / 64
    np.testing.assert_allclose(rates, [base, base / 10, base / 10])
    assert train.main([str(path)]) == 0
    before, after = (
        checkpoint.read(tmp_path / "run" / "checkpoints" / f"step-{step:08d}.safetensors")
        for step in (8, 12)
    )
    changed = {
        name
        for name, tensor in after.group("learner").items()
        if not torch.equal(tensor, before.group("learner")[name])
    }
    assert changed and all(name.startswith("model.track_head.") for name in changed)


def test_without_full_epochs_the_track_head_alone_is_adapted(tmp_path: Path, quick) -> None:
    path = write_config(tmp_path, schedule={"epochs": 0, "track_head_epochs": 1})
    start = build_learner(read_config(path), CPU)[0].state_dict()
    assert train.main([str(path)]) == 0
    learned = last(tmp_path).group("learner")
    changed = {name for name, tensor in learned.items() if not torch.equal(tensor, start[name])}
    assert changed and all(name.startswith("model.track_head.") for name in changed)


def test_accumulated_parts_are_the_whole_batch(tmp_path: Path, quick) -> None:
    path = write_config(tmp_path, onnx={"detection": False}, schedule={"epochs": 1})
    assert train.main([str(path)]) == 0
    whole = last(tmp_path).group("learner")
    assert train.main([str(path), "run.accumulate=2", f"run.out={tmp_path / 'two' / 'run'}"]) == 0
    for name, tensor in last(tmp_path / "two").group("learner").items():
        torch.testing.assert_close(tensor, whole[name], rtol=1e-4, atol=1e-6)


def test_processes_and_parts_share_the_same_samples(tmp_path: Path) -> None:
    config = read_config(write_config(tmp_path), ["data.pairs=8", "run.accumulate=2"])
    shares = [list(batch_numbers(config, World(rank, 2, CPU), 1)) for rank in (0, 1)]
    assert shares[0][:2] + shares[1][:2] == [[8, 9], [10, 11], [12, 13], [14, 15]]


@pytest.mark.parametrize(("precision", "within"), [("bf16", 0.05), ("fp16", 0.9)])
def test_half_precision_learns_much_the_same(
    tmp_path: Path, quick, precision: str, within: float
) -> None:
    """fp16 leaves out the first steps, until its scale fits the gradients."""
    path = write_config(tmp_path, schedule={"epochs": 1}, onnx={"detection": False})
    for name in ("fp32", precision):
        out = tmp_path / name / "run"
        assert train.main([str(path), f"run.precision={name}", f"run.out={out}"]) == 0
    full, half = (last(tmp_path / name).group("learner") for name in ("fp32", precision))
    start = build_learner(read_config(path), CPU)[0].state_dict()
    learned = sum(float((full[n] - start[n].float()).square().sum()) for n in full)
    off = sum(float((full[n] - half[n]).float().square().sum()) for n in full)
    assert 0 < off < within * learned


def test_a_run_shows_losses_pictures_and_retrieval(tmp_path: Path, quick, capsys) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    clip = tmp_path / "clip"
    clip.mkdir()
    for number in range(40):  # of 30 a second
        frame = np.zeros((64, 64, 3), np.uint8)
        frame[:, :32], frame[:, 32:] = (30, 200, 90), (220, 20, 10)
        cv2.imwrite(str(clip / f"{number:02d}.png"), frame)
    rows = [f"{n + 1},{1 + x // 32},{x},0,32,64,1,1,1\n" for n in range(40) for x in (0, 32)]
    (tmp_path / "gt.txt").write_text("".join(rows))
    validation = {"clip": str(clip), "truth": str(tmp_path / "gt.txt"), "every": 4}
    path = write_config(
        tmp_path, validation={**validation, "gaps_s": [0.5]}, run={"ema": 0.5, "log_every": 2}
    )
    assert train.main([str(path)]) == 0
    assert "step 4: rank-1 at 0.5 s: clean 1.000" in capsys.readouterr().out
    events = EventAccumulator(str(tmp_path / "run"), {"scalars": 0, "images": 0})
    events.Reload()
    tags = events.Tags()
    assert {"train/loss_track", "train/loss_rpn_cls", "rank-1 clean/0.5 s"} <= set(tags["scalars"])
    assert [event.step for event in events.Scalars("train/loss_track")] == [2, 4, 6, 8]
    pictures = events.Images("views")
    assert [event.step for event in pictures] == [1, 5]
    assert (pictures[0].width, pictures[0].height) == (128, 64)
    assert last(tmp_path).numbers["history"]["4"]["clean"] == [1.0]


@pytest.mark.slow
def test_what_is_trained_runs_as_a_bundle(tmp_path: Path) -> None:
    path = write_config(tmp_path, onnx={"masks": True})
    assert train.main([str(path)]) == 0
    bundle = OrtModel(tmp_path / "run" / "bundle")
    learner, _ = build_learner(read_config(path), CPU)
    learner.load_state_dict(last(tmp_path).group("learner"))
    learner.eval()
    for size in ((64, 64), (50, 90)):
        frame = np.random.RandomState(0).randint(0, 256, (*size, 3), dtype=np.uint8)
        boxes = np.array([[2, 3, 40, 44], [10, 10, 49, 30]], np.float32)
        ours, theirs = bundle.encode(frame), learner.model.encode(frame)
        embeddings = bundle.embed(ours, boxes)
        assert embeddings.shape == (2, 16)
        assert np.abs(embeddings - learner.model.embed(theirs, boxes)).max() < 1e-5
        assert len(bundle.masks(ours, boxes)) == 2
        found, expected = bundle.detect_objects(ours), learner.model.detect_objects(theirs)
        assert len(found) == len(expected)
        assert np.abs(found.boxes - expected.boxes).max(initial=0) < 1e-2
