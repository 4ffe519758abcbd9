"""Detic with classes of one's own, from files."""

from __future__ import annotations

import argparse

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")

import masa_core  # noqa: E402
from masa_core.commands import CommandError  # noqa: E402
from masa_core.commands.options import add_pipeline_options, load_pipeline  # noqa: E402
from masa_core.models.detic.vocabulary import read_vocabulary, use_vocabulary  # noqa: E402
from masa_core.runtime.protocol import ModelError  # noqa: E402
from masa_core.tracking import TrackerConfig  # noqa: E402

from .small import small_masa  # noqa: E402
from .test_masa_detectors import assemble, small_detic  # noqa: E402

pytestmark = pytest.mark.torch

NAMES = ["kerb stone", "dog", "Straßenbahn"]


@pytest.fixture
def file(tmp_path):
    rows = np.random.default_rng(0).standard_normal((3, 512)).astype(np.float16)
    np.save(tmp_path / "classes.npy", rows)
    (tmp_path / "classes.txt").write_text("\n".join(NAMES) + "\n\n", encoding="utf-8")
    return tmp_path / "classes.npy"


def test_names_and_embeddings_are_read_from_two_files(file):
    names, embeddings = read_vocabulary(file)
    assert names == NAMES and embeddings.dtype == torch.float32
    assert np.array_equal(embeddings.numpy(), np.load(file).astype(np.float32))


def test_the_pipeline_finds_and_chooses_among_the_new_classes(file, monkeypatch):
    torch.manual_seed(0)
    model = assemble(small_detic())
    monkeypatch.setattr(masa_core, "load_model", lambda name, **options: model)
    parser = argparse.ArgumentParser()
    add_pipeline_options(parser)
    arguments = ["--model", "masa_detic", "--vocabulary", str(file), "--classes", "dog"]
    pipeline = load_pipeline(parser.parse_args(arguments), TrackerConfig.preset("masa_tao"))
    assert pipeline.classes == tuple(NAMES) and pipeline.labels == [1]
    frame = np.random.default_rng(0).integers(0, 256, (90, 140, 3), dtype=np.uint8)
    found = model.detect(model.encode(frame))
    assert len(found) > 0 and set(found.labels) <= {0, 1, 2}
    pipeline.step(frame, 0)
    file.unlink()
    with pytest.raises(CommandError, match=r"classes\.npy is not there"):
        load_pipeline(parser.parse_args(arguments), TrackerConfig.preset("masa_tao"))


def test_names_alone_need_clip(file, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="hf download openai/clip"):
        read_vocabulary(file.with_suffix(".txt"))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda f: f.with_suffix(".txt").unlink(), r"classes\.txt is not there: it must have"),
        (lambda f: f.with_suffix(".txt").write_text("car\n"), "3 classes, and .* names of 1"),
        (lambda f: f.with_suffix(".txt").write_text("a\nb\na\n"), "'a' more than once"),
        (lambda f: f.with_suffix(".txt").write_text(" \n"), "names no class"),
        (lambda f: f.with_suffix(".txt").write_bytes(b"\xff\xfe\x00"), "not text in UTF-8"),
        (lambda f: f.write_bytes(b"no array"), r"not a \.npy file of numbers"),
        (lambda f: np.save(f, np.ones((3, 4, 5), np.float32)), r"expected a \(classes, 512\)"),
        (lambda f: np.save(f, np.ones((3, 300), np.float32)), r"npy: class embeddings must be"),
    ],
)
def test_what_is_wrong_with_the_files_is_told(file, change, says):
    change(file)
    torch.manual_seed(0)
    with pytest.raises(ValueError, match=says):
        use_vocabulary(assemble(small_detic()), file)


def test_other_models_and_other_files_are_refused(file):
    with pytest.raises(ModelError, match="takes no vocabulary; masa_detic does"):
        use_vocabulary(small_masa(), file)
    with pytest.raises(ValueError, match=r"a \.npy with embeddings"):
        read_vocabulary(file.with_suffix(".pth"))
