"""A frozen ONNX detector under a torch adapter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import yaml

torch = pytest.importorskip("torch")

from tiny import write_detector  # noqa: E402

from masa_core.runtime.protocol import ModelError  # noqa: E402
from training.build import onnx_learner  # noqa: E402
from training.config import ConfigError, OnnxAdapter  # noqa: E402
from training.model import normalised  # noqa: E402
from training.onnx_backbone import OnnxBackbone  # noqa: E402

pytestmark = pytest.mark.torch
CPU = torch.device("cpu")


def learner(folder: Path, side: int = 64, **settings):
    taps = {"fine": 4, "coarse": 8}
    defaults = {"width": 32, "hidden": 16, "embedding": 8, "detection": False}
    return onnx_learner(OnnxAdapter(str(folder), taps, **{**defaults, **settings}), side, 0, CPU)


def rewrite(folder: Path, **changes) -> None:
    path = folder / "bundle.yaml"
    content = yaml.safe_load(path.read_text())
    image = {key: value for key, value in (content["image"] | changes).items() if value is not None}
    path.write_text(yaml.safe_dump(content | {"image": image}))


def test_its_taps_need_not_be_outputs(tmp_path: Path) -> None:
    folder = write_detector(tmp_path / "detector")
    backbone = OnnxBackbone(folder, ["fine", "coarse"], CPU)
    assert backbone.channels == [8, 8]
    images = torch.rand(3, 3, 64, 32)
    fine, coarse = backbone(images)
    assert fine.shape == (3, 8, 16, 8) and coarse.shape == (3, 8, 8, 4)
    given = onnxruntime.InferenceSession(folder / "image.onnx")
    for i in range(3):  # the given graph's output is the coarse tap without what is negative
        (out,) = given.run(["out"], {"image": images[i : i + 1].numpy()})
        assert np.array_equal(coarse[i : i + 1].relu().numpy(), out)


@pytest.mark.parametrize("channels", ["bgr", "rgb"])
def test_views_and_frames_reach_it_the_same_way(tmp_path: Path, channels: str) -> None:
    folder = write_detector(tmp_path / "detector")
    rewrite(folder, channels=channels)
    model = learner(folder).model
    frame = np.random.RandomState(0).randint(0, 256, (64, 64, 3), dtype=np.uint8)
    image, geometry = model.preprocessing(frame)
    view = normalised(model, torch.from_numpy(frame)[None])
    torch.testing.assert_close(view, image)
    assert geometry.scale == (1, 1)
    first = 0 if channels == "bgr" else 2
    expected = (frame[..., first].astype(np.float32) - 100) / 60
    np.testing.assert_allclose(view[0, 0], expected, rtol=1e-5)


def test_mistakes_are_named(tmp_path: Path) -> None:
    folder = write_detector(tmp_path / "detector")
    with pytest.raises(ModelError, match="has no tensor 'corse'; did you mean 'coarse'"):
        OnnxBackbone(folder, ["fine", "corse"], CPU)
    with pytest.raises(ConfigError, match="but the graph takes multiples of 32"):
        learner(folder, side=50)
    with pytest.raises(ConfigError, match=r"onnx\.fusion needs a detector with one input size"):
        learner(folder, fusion=True)
    rewrite(folder, pixels=None, multiple=None, size=[64, 96])
    with pytest.raises(ConfigError, match="takes images of 96 x 64 px, views are 64 x 64 px"):
        learner(folder)
    (folder / "image.onnx").write_bytes(b"no graph")
    with pytest.raises(ModelError, match="cannot be read as an ONNX graph"):
        learner(folder)
    rewrite(folder, inputs="image")
    with pytest.raises(ConfigError, match=r"bundle\.yaml, line \d+: unknown key 'inputs'"):
        learner(folder)


def renamed(folder: Path, **names: str) -> None:
    """Gives tensors of the detector's graph other names."""
    model = onnx.load(folder / "image.onnx")
    for node in model.graph.node:
        for column in (node.input, node.output):
            column[:] = [names.get(name, name) for name in column]
    onnx.save(model, folder / "image.onnx")


def test_strides_are_those_of_the_graph(tmp_path: Path) -> None:
    folder = write_detector(tmp_path / "detector")
    for taps in ({"fine": 8, "coarse": 16}, {"coarse": 4, "fine": 8}):
        with pytest.raises(ConfigError, match=r"has stride \d, but it is .* px: a stride of [48]$"):
            onnx_learner(OnnxAdapter(str(folder), taps, width=32), 64, 0, CPU)


@pytest.mark.parametrize(
    "changes", [{"input": "picture"}, {"pixels": None, "multiple": None, "size": [32, 32]}]
)
def test_an_input_that_is_described_wrongly_is_shown_beside_what_it_is(
    tmp_path: Path, changes: dict
) -> None:
    folder = write_detector(tmp_path / "detector")
    model = onnx.load(folder / "image.onnx")
    for number in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[number].dim_value = 64
    onnx.save(model, folder / "image.onnx")
    rewrite(folder, **changes)
    with pytest.raises(ModelError, match=r"takes image tensor\(float\) \[1, 3, 64, 64\], and sec"):
        OnnxBackbone(folder, ["fine"], CPU)


def test_names_of_the_heads_own_tensors_are_refused(tmp_path: Path) -> None:
    folder = write_detector(tmp_path / "detector")
    renamed(folder, coarse="boxes")
    with pytest.raises(ModelError, match=r"tensor 'boxes' of .* rename it in the graph"):
        OnnxBackbone(folder, ["boxes"], CPU)


def test_taps_double_their_strides() -> None:
    with pytest.raises(ValueError, match=r"must double from each to the next, got \[4, 16\]"):
        OnnxAdapter("detector", {"a": 4, "b": 16})
    with pytest.raises(ValueError, match="multiple of 32"):
        OnnxAdapter("detector", {"a": 4}, width=48)


def test_heads_may_read_tensors_with_the_names_that_exporters_give(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    from masa_core.models.onnx_graphs import export_graph

    path = tmp_path / "head.onnx"
    head = torch.nn.Sequential(torch.nn.ReLU(), torch.nn.Conv2d(2, 3, 1), torch.nn.ReLU())
    maps = torch.randn(1, 2, 4, 4)
    export_graph(head, (maps,), path, ["relu"], ["conv2d"])
    session = onnxruntime.InferenceSession(path)
    (found,) = session.run(["conv2d"], {"relu": maps.numpy()})
    np.testing.assert_allclose(found, head(maps).detach().numpy(), atol=1e-6)
