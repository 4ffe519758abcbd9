"""A model begins with what is in a file, whatever its tensors are called there."""

from __future__ import annotations

from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("segment_anything")

from safetensors.torch import save_file  # noqa: E402
from tiny import write_config  # noqa: E402

from masa_core.models.backbones.sam_vit import SamViT  # noqa: E402
from masa_core.models.fusion import DyHeadFusion  # noqa: E402
from masa_core.models.masa import Masa  # noqa: E402
from masa_core.models.preprocess import Preprocessing  # noqa: E402
from masa_core.models.pyramid import SimpleFPN  # noqa: E402
from masa_core.models.roi_head import BoxHead  # noqa: E402
from masa_core.models.rpn import RPN  # noqa: E402
from masa_core.models.sam import Sam  # noqa: E402
from masa_core.models.track_head import EmbedHead  # noqa: E402
from masa_core.runtime.protocol import ModelError  # noqa: E402
from training.config import read_config  # noqa: E402
from training.dataset import ViewPairs, collate  # noqa: E402
from training.index import open_index  # noqa: E402
from training.model import Learner  # noqa: E402
from training.start_weights import start_from  # noqa: E402

pytestmark = pytest.mark.torch


def small(seed: int) -> Masa:
    torch.manual_seed(seed)
    sam = Sam(SamViT(24, 4, 2, (0, 1, 2, 3), size=64, embedding=32), size=64, embedding=32)
    adapter = SimpleFPN(24, 32), DyHeadFusion(32)
    heads = RPN(32), BoxHead(32, 64), EmbedHead(32, 64, 16)
    return Masa("small", Preprocessing(), adapter, *heads, (4, 8, 16, 32, 64), 4, detector=sam)


def written(path: Path, tensors: dict) -> Path:
    save_file({key: tensor.detach().clone() for key, tensor in tensors.items()}, path)
    return path


def equal(model: Masa, other: Masa, start: str) -> bool:
    pairs = zip(model.state_dict().items(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for (key, a), b in pairs if key.startswith(start))


def test_from_a_file_of_sam(tmp_path: Path) -> None:
    source, model = small(1), small(2)
    own = {
        key.removeprefix("detector.").replace("backbone.", "image_encoder."): tensor
        for key, tensor in source.state_dict().items()
        if key.startswith("detector.")
    }
    text = start_from(model, written(tmp_path / "sam.safetensors", own), with_adapter=False)
    assert "with a new adapter" in text
    assert equal(model, source, "detector.") and not equal(model, source, "track_head.")


def test_from_a_checkpoint_with_or_without_its_adapter(tmp_path: Path) -> None:
    source = small(1)
    path = written(tmp_path / "all.safetensors", source.state_dict())
    model = small(2)
    start_from(model, path, with_adapter=True)
    assert equal(model, source, "")
    model = small(2)
    start_from(model, path, with_adapter=False)
    assert equal(model, source, "detector.") and equal(model, small(2), "masa_adapter.")


def test_sam_learns_without_being_changed(tmp_path: Path) -> None:
    """One step of each phase on a batch of view pairs, as masa_sam_vitb is trained."""
    config = read_config(write_config(tmp_path))
    pairs = ViewPairs(config, open_index(list(config.data.folders), cache=tmp_path / "cache"))
    batch = collate([pairs[0], pairs[1]])
    learner, given = Learner(small(1), batch_norm="sync").train(), small(1)
    for head_alone, start in ((False, "masa_adapter."), (True, "track_head.")):
        learner.learn_track_head_alone() if head_alone else learner.learn_all()
        before = {k: v.clone() for k, v in learner.model.state_dict().items()}
        optimizer = torch.optim.SGD(learner.trained().values(), 0.1)
        sum(learner(batch).values()).backward()
        optimizer.step()
        changed = {
            k for k, v in learner.model.state_dict().items() if not torch.equal(v, before[k])
        }
        assert any(key.startswith(start) for key in changed)
        assert not head_alone or all(key.startswith(start) for key in changed)
    assert equal(learner.model, given, "detector.")
    assert not learner.model.detector.training


def test_what_is_missing_is_named_and_nothing_is_changed(tmp_path: Path) -> None:
    tensors = small(1).state_dict()
    without = {k: v for k, v in tensors.items() if not k.startswith("track_head.")}
    path = written(tmp_path / "part.safetensors", without)
    model = small(2)
    with pytest.raises(ModelError, match=r"lacks .* among them track_head\."):
        start_from(model, path, with_adapter=True)
    assert equal(model, small(2), "")
    with pytest.raises(ModelError, match="is not there"):
        start_from(model, tmp_path / "none.pth", with_adapter=False)
