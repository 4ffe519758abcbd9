"""What the default embedding is fitted to: views of objects, their foreground, and the command."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from scenes import scene, write_image, write_scene

from masa_core import load_model
from masa_core.assets import asset_path
from masa_core.runtime import ModelError
from masa_core.runtime.bundle import read_bundle
from training.clip import open_clip
from training.embedding import made_up
from training.embedding.composites import composite, composites, in_place
from training.embedding.cut_outs import CutOut, cut_out_in_place, recoloured
from training.embedding.form import CROP, cut_stem
from training.embedding.made_up import HEIGHT, WIDTH, Thing, draw
from training.sa1b import write_segments

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch")

from training.embedding import __main__ as command  # noqa: E402
from training.embedding.foreground import (  # noqa: E402
    CELLS,
    CHANNELS,
    ForegroundNet,
    foreground_graph,
    train_foreground,
)

BUNDLE = asset_path("nanodet_masa")


@pytest.fixture
def red_things() -> list[CutOut]:
    pixels = np.zeros((60, 30, 3), np.uint8)
    pixels[..., 2] = 200
    return [CutOut(pixels, np.ones((60, 30), np.float32))] * 2


def test_composites_show_the_object_on_different_backgrounds(red_things: list[CutOut]) -> None:
    random = np.random.RandomState(0)
    images = [random.randint(0, 255, (100, 100, 3)).astype(np.uint8) for _ in range(3)]
    for crops in composites(red_things, images, views=4, seed=0):
        assert crops.shape == (4, 3, *CROP)
        blue, green, red = crops[:, :, 32:96, 16:48].mean(axis=(2, 3)).T
        assert (red > 3 * np.maximum(blue, green)).mean() >= 0.75  # but where something is in front
        assert crops.std(axis=0).max() > 20


def test_composites_follow_from_the_seed(red_things: list[CutOut]) -> None:
    images = [np.random.RandomState(0).randint(0, 255, (80, 80, 3)).astype(np.uint8)]
    first, again, other = (list(composites(red_things, images, 2, seed)) for seed in (3, 3, 4))
    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert not np.array_equal(first[0], first[1])  # each object has its own draws


def test_a_view_says_where_its_object_is(red_things: list[CutOut]) -> None:
    green = np.full((90, 90, 3), (0, 200, 0), np.uint8)
    random = np.random.RandomState(0)
    around = CutOut(
        np.pad(red_things[0].pixels, ((9, 9), (9, 9), (0, 0))), np.pad(np.ones((60, 30), "f4"), 9)
    )
    around.pixels[around.share == 0] = green[0, 0]
    views = [composite(red_things[0], [around], [green], random) for _ in range(20)]
    views += [in_place(around, random) for _ in range(20)]
    for view in views:
        red = view.crop[2] > view.crop[1]
        assert view.share.shape == CROP and 0.3 < view.share.mean() <= 1
        assert (red == (view.share > 0.5)).mean() > 0.9


def test_what_people_drew_is_cut_out_with_what_lies_about_it() -> None:
    image, segments = scene(0, height=240, width=320)
    drawn = replace(segments, scores=np.ones(len(segments), np.float32))
    guessed = replace(segments, scores=np.full(len(segments), 0.9, np.float32))
    assert cut_out_in_place([(image, guessed)]) == []
    objects = cut_out_in_place([(image, drawn)])
    assert objects
    for item in objects:
        assert item.share.shape == item.pixels.shape[:2] and 0.1 < item.share.mean() < 0.9


def test_other_colours_keep_the_shape() -> None:
    pixels = np.full((4, 6, 3), (10, 20, 160), np.uint8)
    pixels[:, 3:] = (160, 20, 10)
    found = recoloured(pixels, np.random.RandomState(0))
    assert found.shape == pixels.shape and np.abs(found.astype(int) - pixels).max() > 30
    assert (found[:, :3] == found[0, 0]).all() and (found[:, 3:] == found[0, 3]).all()
    assert (found[0, 0] != found[0, 3]).any()


# Made-up clips


def test_truth_of_a_made_up_frame_is_what_is_in_sight(red_things: list[CutOut]) -> None:
    picture = np.full((HEIGHT + 160, WIDTH + 160, 3), (0, 200, 0), np.uint8)
    behind, front = (Thing(red_things[0], 60, 300, 200, 0, 0, 0.0, False) for _ in range(2))
    aside = Thing(red_things[0], 60, 100, 200, 6, 0, 0.0, False)
    image, boxes = draw([behind, front, aside], picture, time=0)
    assert [box[0] for box in boxes] == [2, 3]  # the first is covered
    for _, x, y, width, height in boxes:
        assert (width, height) == (30, 60)
        inside = image[y : y + height, x : x + width]
        assert (inside[..., 2] > inside[..., 1]).all()
    assert boxes[1][1:3] == (106 - 15, 200 - 30)


def test_a_made_up_clip_can_be_judged_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    image, segments = scene(1, height=240, width=320)
    write_image(tmp_path / "1.png", image)
    write_segments(tmp_path / "1.json", "1.png", segments)
    clip = tmp_path / "clip.avi"
    made_up.main([str(tmp_path), str(clip), "--things", "1", "--frames", "6"])
    frames = list(open_clip(clip, clip.with_suffix(".txt")).frames())
    assert len(frames) == 6 and frames[5].time_s == pytest.approx(1.0)
    assert all(frame.ids.tolist() == [1] for frame in frames)
    with pytest.raises(SystemExit, match="segments that can be used"):
        made_up.main([str(tmp_path), str(clip), "--things", "500"])


# The foreground


def foreground(graph: onnx.ModelProto, stride4: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    return np.asarray(session.run(None, {"stride4": stride4})[0])


@pytest.mark.parametrize("boxes", [1, 2, 5])
def test_the_graph_of_the_foreground_is_the_network(boxes: int) -> None:
    torch.manual_seed(0)
    net = ForegroundNet()
    torch.nn.init.normal_(net.place)
    for weights in net.parameters():  # the file has half of the digits
        weights.data = weights.data.half().float()
    stride4 = torch.randn(boxes, CHANNELS, *CELLS)
    with torch.no_grad():
        expected = net(stride4).numpy()
    found = foreground(foreground_graph(net), stride4.numpy())
    assert found.shape == (boxes, 1, *CELLS) and np.abs(found - expected).max() < 1e-4


def test_the_foreground_is_learned(
    red_things: list[CutOut], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("training.embedding.foreground.BATCH", 16)
    spec = read_bundle(BUNDLE).image
    stem = cut_stem(onnx.load(BUNDLE / spec.graph), spec.mean, spec.std)
    green = np.full((90, 90, 3), (0, 200, 0), np.uint8)
    first, again = (train_foreground(stem, red_things, [], [green], 2, seed=0) for _ in range(2))
    assert first.SerializeToString() == again.SerializeToString()
    graph = train_foreground(stem, red_things, [], [green], steps=25, seed=0)
    model = load_model("nanodet_masa", threads=1)
    frame = np.full((128, 64, 3), (0, 200, 0), np.uint8)
    frame[:, 20:44] = (0, 0, 200)
    image = (frame.transpose(2, 0, 1)[None] - np.reshape(spec.mean, (1, 3, 1, 1))) / np.reshape(
        spec.std, (1, 3, 1, 1)
    )
    (stride4,) = model._image.run(["stride4"], {"image": image.astype(np.float32)})
    found = foreground(graph, stride4)[0, 0]
    assert found[4:-4, 6:10].mean() > found[4:-4, [0, 1, 14, 15]].mean() + 0.3


# The command


def test_the_command_makes_a_bundle_that_tells_colours_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle = Path(shutil.copytree(BUNDLE, tmp_path / "bundle"))
    for seed in range(4):
        image, segments = scene(seed, height=240, width=320)
        write_image(tmp_path / f"{seed}.png", image)
        write_segments(tmp_path / f"{seed}.json", f"{seed}.png", segments)
    monkeypatch.setattr("training.embedding.__main__.PIXELS", 500)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    options = ["--only", "[0-2]*", "--views", "3", "--words", "8", "--size", "12"]
    options += ["--foreground-steps", "3"]
    command.main([str(bundle), "--segments", str(tmp_path), *options])
    model = load_model(bundle)
    frame = np.zeros((64, 96, 3), np.uint8)
    frame[:, :32], frame[:, 32:64], frame[:, 64:] = (30, 30, 200), (30, 30, 180), (200, 60, 30)
    boxes = np.array([[0, 0, 32, 64], [32, 0, 64, 64], [64, 0, 96, 64]], np.float32)
    embeddings = model.embed(model.encode(frame), boxes)
    assert embeddings.shape == (3, 12)
    assert embeddings[0] @ embeddings[1] > embeddings[0] @ embeddings[2]


def test_mistakes_are_one_sentence_before_anything_is_fitted(tmp_path: Path) -> None:
    write_scene(tmp_path / "0.png", 0)
    for arguments, reason in (
        ([str(BUNDLE), "--segments", "nowhere"], "nowhere is no folder"),
        ([str(tmp_path), "--segments", str(tmp_path)], "is it a bundle"),
        ([str(BUNDLE), "--segments", str(tmp_path), "--videos", "none.mp4"], "none.mp4 does not"),
    ):
        with pytest.raises(SystemExit, match=f"training.embedding: .*{reason}"):
            command.main(arguments)
    with pytest.raises(SystemExit, match=r"made_up: .* is no folder"):
        made_up.main(["nowhere", "clip.avi"])


@pytest.mark.parametrize("option", ["--views=1", "--words=0", "--size=0", "--foreground-steps=0"])
def test_numbers_that_would_ruin_the_bundle_are_refused(
    option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        command.main(["bundle", "--segments", "segments", option])
    assert f"argument {option.partition('=')[0]}: " in capsys.readouterr().err


def test_the_stem_of_another_detector_is_refused() -> None:
    node = onnx.helper.make_node("Relu", ["image"], ["out"])
    kind = onnx.TensorProto.FLOAT
    values = [onnx.helper.make_tensor_value_info(name, kind, [1, 3, 8, 8]) for name in node.input]
    graph = onnx.helper.make_graph([node], "other", values, [])
    with pytest.raises(ModelError, match=r"for another detector, python -m training\.train learns"):
        cut_stem(onnx.helper.make_model(graph), (0, 0, 0), (1, 1, 1))


def test_the_command_says_that_no_segment_can_be_used(tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(BUNDLE, tmp_path / "bundle"))
    image, segments = scene(0)
    write_image(tmp_path / "0.png", image)
    write_segments(tmp_path / "0.json", "0.png", segments)
    with pytest.raises(SystemExit, match="no segment that can be used"):
        command.main([str(bundle), "--segments", str(tmp_path), "--only", "x*"])
