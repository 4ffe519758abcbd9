"""`masa convert` and `masa download`."""

from __future__ import annotations

import hashlib

import pytest
import yaml

torch = pytest.importorskip("torch")

from masa_core.commands import CommandError, convert  # noqa: E402
from masa_core.models import build, load_official  # noqa: E402
from masa_core.models import download as fetching  # noqa: E402
from masa_core.models.weights import PUBLISHED, Published  # noqa: E402
from masa_core.runtime.protocol import ModelError  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.fixture(scope="module")
def r50():
    torch.manual_seed(1)
    return build("masa_r50")


def run_convert(checkpoint, folder, name=None):
    import argparse

    return convert.run(argparse.Namespace(checkpoint=checkpoint, folder=folder, model=name))


def test_convert_writes_weights_and_their_origin(tmp_path, r50):
    source, out = tmp_path / "downloaded.pth", tmp_path / "out"
    torch.save({"state_dict": r50.state_dict(), "optimizer": {"m": torch.zeros(3)}}, source)
    assert run_convert(source, out) == 0
    written = out / "masa_r50.safetensors"
    card = yaml.safe_load((out / "masa_r50.yaml").read_text())
    assert card["model"] == "masa_r50"
    assert card["sha256"] == hashlib.sha256(written.read_bytes()).hexdigest()
    assert card["origin_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
    assert card["origin_published_at"] == PUBLISHED["masa_r50"].url
    assert sorted(p.name for p in out.iterdir()) == ["masa_r50.safetensors", "masa_r50.yaml"]
    assert written.stat().st_mode & 0o777 == 0o644  # others on a robot may read it

    again = build("masa_r50")
    assert load_official(again, written).clean
    assert torch.equal(again.backbone.conv1.weight, r50.backbone.conv1.weight)

    data = bytearray(written.read_bytes())
    data[-1] ^= 1
    written.write_bytes(data)
    with pytest.raises(ModelError, match="SHA-256"):
        load_official(again, written)


def test_convert_refuses_what_is_not_a_model(tmp_path, r50):
    torch.save({"weight": torch.zeros(3)}, tmp_path / "other.pth")
    with pytest.raises(CommandError, match=r"other\.pth holds the weights of none of masa_r50"):
        run_convert(tmp_path / "other.pth", tmp_path / "out")
    state = dict(r50.state_dict())
    del state["rpn_head.rpn_cls.bias"]
    torch.save(state, tmp_path / "part.pth")
    with pytest.raises(CommandError, match=r"1 missing: rpn_head\.rpn_cls\.bias"):
        run_convert(tmp_path / "part.pth", tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A file published on this machine, in place of masa_r50."""
    (tmp_path / "site").mkdir()
    file = tmp_path / "site" / "weights.pth"
    file.write_bytes(b"weights" * 1000)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    monkeypatch.setitem(fetching.PUBLISHED, "masa_r50", Published(file.as_uri(), digest))
    return file


def test_download_fetches_a_file_once(tmp_path, published):
    there = fetching.download("masa_r50", tmp_path / "weights")
    assert there.read_bytes() == published.read_bytes()
    published.unlink()
    assert fetching.download("masa_r50", tmp_path / "weights") == there
    assert list((tmp_path / "weights").iterdir()) == [there]


def test_download_keeps_nothing_that_is_not_what_was_published(tmp_path, published):
    published.write_bytes(b"something else")
    with pytest.raises(ModelError, match="SHA-256"):
        fetching.download("masa_r50", tmp_path / "weights")
    published.unlink()
    with pytest.raises(OSError, match="cannot be fetched"):
        fetching.download("masa_r50", tmp_path / "weights")
    assert list((tmp_path / "weights").iterdir()) == []


def test_download_knows_what_is_published(tmp_path):
    with pytest.raises(ModelError, match="did you mean 'masa_r50'"):
        fetching.download("masa-r50", tmp_path)
