"""Every key, shape and type of the published state dicts."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("segment_anything")

from masa_core.models import MODELS, build  # noqa: E402

from .golden import FOLDER  # noqa: E402

pytestmark = pytest.mark.torch


@pytest.mark.parametrize("name", MODELS)
def test_keys_are_those_of_the_published_checkpoint(name):
    lines = (FOLDER / "keys" / f"{name}.tsv").read_text().splitlines()
    published = [tuple(line.split("\t")) for line in lines]
    with torch.device("meta"):  # no memory, no time
        model = build(name)
    ours = [
        (key, "x".join(map(str, tensor.shape)) or "scalar", str(tensor.dtype).split(".")[1])
        for key, tensor in model.state_dict().items()
    ]
    assert sorted(ours) == sorted(published)
