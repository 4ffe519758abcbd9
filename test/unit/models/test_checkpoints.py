"""Loading weights: strict, and never running what a file holds."""

from __future__ import annotations

import os
import sys
import types
from collections import OrderedDict

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from torch import nn  # noqa: E402

from masa_core.models import load, load_official  # noqa: E402
from masa_core.models.checkpoints import read  # noqa: E402
from masa_core.models.weights import PUBLISHED, find_weights  # noqa: E402
from masa_core.runtime.protocol import ModelError  # noqa: E402

pytestmark = pytest.mark.torch


def small() -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4))


def test_a_checkpoint_file_is_loaded_whole(tmp_path):
    source, target = small(), small()
    torch.save({"meta": {"epoch": 1}, "state_dict": source.state_dict()}, tmp_path / "a.pth")
    report = load_official(target, tmp_path / "a.pth")
    assert report.clean and report.loaded == 7
    for ours, theirs in zip(target.parameters(), source.parameters(), strict=True):
        assert torch.equal(ours, theirs)


def test_keys_known_not_to_matter_are_ignored_and_named():
    state = dict(small().state_dict())
    del state["1.num_batches_tracked"]
    state["detector.language_model.body.model.embeddings.position_ids"] = torch.zeros(1)
    report = load_official(small(), state)
    assert report.clean
    assert report.ignored == [
        "1.num_batches_tracked",
        "detector.language_model.body.model.embeddings.position_ids",
    ]


def test_what_does_not_fit_is_named_and_nothing_is_loaded():
    state = dict(small().state_dict())
    del state["0.bias"]
    state["0.weight"] = torch.zeros(4, 5, 1, 1)
    state["stray"] = torch.zeros(1)
    target = small()
    before = target[1].weight.clone()
    state["1.weight"] = before + 1
    with pytest.raises(ModelError) as error:
        load_official(target, state)
    for part in ("1 missing: 0.bias", "1 unexpected: stray", "0.weight: (4, 5, 1, 1), not (4, 3"):
        assert part in str(error.value)
    assert torch.equal(target[1].weight, before)


def test_a_prefix_takes_one_part_of_a_file():
    state = {f"image_encoder.{k}": v for k, v in small().state_dict().items()}
    state["mask_decoder.weight"] = torch.zeros(1)
    assert load_official(small(), state, prefix="image_encoder.").clean


class _Malicious:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def test_a_file_that_would_run_code_is_refused(tmp_path):
    torch.save({"state_dict": {"a": _Malicious(tmp_path / "ran")}}, tmp_path / "bad.pth")
    with pytest.raises(ModelError, match=r"refused: it names posix\.mkdir"):
        read(tmp_path / "bad.pth")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("content", [b"", b"version https://git-lfs.github.com/spec/v1\n"])
def test_a_file_that_is_no_checkpoint_is_refused(tmp_path, content):
    (tmp_path / "a.pth").write_bytes(content)
    with pytest.raises(ModelError, match=r"a\.pth"):
        read(tmp_path / "a.pth")


def test_the_logs_of_a_training_checkpoint_are_read_as_nothing(tmp_path, monkeypatch):
    module = types.ModuleType("mmengine.logging.history_buffer")
    module.HistoryBuffer = type(
        "HistoryBuffer", (), {"__module__": module.__name__, "__init__": _fill_history}
    )
    with monkeypatch.context() as patch:
        for name in ("mmengine", "mmengine.logging"):
            patch.setitem(sys.modules, name, types.ModuleType(name))
        patch.setitem(sys.modules, module.__name__, module)
        logs = {"log_scalars": OrderedDict(loss=module.HistoryBuffer())}
        state = {"weight": torch.ones(2)}
        torch.save({"message_hub": logs, "state_dict": state}, tmp_path / "a.pth")
    assert torch.equal(read(tmp_path / "a.pth")["weight"], torch.ones(2))


def _fill_history(self):
    self.history, self.mean = np.arange(3.0), np.float64(1)


def test_missing_weights_say_where_to_get_them_and_where_to_put_them(tmp_path, monkeypatch):
    monkeypatch.setenv("MASA_WEIGHTS", str(tmp_path))
    with pytest.raises(ModelError) as error:
        load("masa_r50")
    assert PUBLISHED["masa_r50"].url in str(error.value)
    assert str(tmp_path / "masa_r50.pth") in str(error.value)
    (tmp_path / "masa_r50.pth").touch()
    assert find_weights("masa_r50") == tmp_path / "masa_r50.pth"
    assert find_weights("masa_r50", tmp_path / "masa_r50.pth") == tmp_path / "masa_r50.pth"


def test_unknown_names_types_and_devices_are_refused():
    with pytest.raises(ModelError, match="did you mean 'masa_r50'"):
        load("masa_r05", random_weights=True)
    with pytest.raises(ModelError, match="float16"):
        load("masa_r50", dtype="float17", random_weights=True)
    with pytest.raises(ModelError, match="'cpu' is always there"):
        load("masa_r50", device="tpu9", random_weights=True)
