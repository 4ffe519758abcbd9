"""The default embedding: what its graph measures, what is learned from views, and where they go."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from scenes import scene, write_image

from masa_core import load_model
from masa_core.assets import asset_path
from masa_core.runtime.bundle import read_bundle
from masa_core.runtime.ort import OrtModel
from training.embedding import __main__ as command
from training.embedding.bundle import put_embedding
from training.embedding.composites import CutOut, composites, recoloured
from training.embedding.fit import Moments, discriminant, find_words
from training.embedding.form import (
    CROP,
    FLOOR,
    MIDDLE,
    STRIPES,
    Stem,
    Words,
    cut_stem,
    embedding_graph,
    measures_graph,
)
from training.embedding.run import Runner
from training.embedding.tracklets import link
from training.sa1b import write_segments

BUNDLE = asset_path("nanodet_masa")


@pytest.fixture(scope="module")
def stem() -> Stem:
    spec = read_bundle(BUNDLE).image
    return cut_stem(onnx.load(BUNDLE / spec.graph), spec.mean, spec.std)


@pytest.fixture(scope="module")
def words() -> Words:
    return Words(np.random.RandomState(0).uniform(-1, 1, (5, 3)).astype(np.float32), 0.1)


@pytest.fixture(scope="module")
def crops() -> np.ndarray:
    """(3, 3, *CROP): blurred noise, in 0..255."""
    noise = np.random.RandomState(1).uniform(0, 255, (3, *CROP, 3))
    return np.stack([cv2.GaussianBlur(n, (0, 0), 3).transpose(2, 0, 1) for n in noise]).astype("f4")


def middle(width: int) -> np.ndarray:
    places = (np.arange(width) + 0.5) / width - 0.5
    weights = np.exp(-0.5 * (places / MIDDLE) ** 2)
    return weights / weights.sum()


def shares_of_words(crops: np.ndarray, words: Words) -> np.ndarray:
    """(N, STRIPES, W), as the docstring of form.py has it, pixel by pixel."""
    n, _, height, width = crops.shape
    halved = crops.reshape(n, 3, height // 2, 2, width // 2, 2).mean(axis=(3, 5)) / 255
    blue, green, red = halved.transpose(1, 0, 2, 3)
    bright = (blue + green + red) / 3
    root = np.sqrt(bright + 0.05)
    pixels = [np.sqrt(bright), 2 * (red - green) / root, (red + green - 2 * blue) / root]
    away = np.stack(pixels, -1)[..., None, :] - words.centres
    belongs = np.exp(-(away**2).sum(-1) / words.temperature)
    belongs /= belongs.sum(-1, keepdims=True)
    across = (belongs * middle(width // 2)[None, None, :, None]).sum(axis=2)
    return across.reshape(n, STRIPES, -1, len(words.centres)).mean(axis=2)


# The graph


def test_shares_of_words_are_those_of_the_definition(
    stem: Stem, words: Words, crops: np.ndarray
) -> None:
    measures = Runner(measures_graph(stem, words))(crops)
    expected = np.sqrt(shares_of_words(crops, words) + FLOOR).reshape(3, -1)
    assert np.abs(measures[:, : STRIPES * 5] - expected).max() < 1e-5


def test_the_stem_is_that_of_the_detector(stem: Stem, words: Words, crops: np.ndarray) -> None:
    model = load_model("nanodet_masa", threads=1)
    assert isinstance(model, OrtModel)
    spec = model.bundle.image
    image = (crops[:1] - np.reshape(spec.mean, (1, 3, 1, 1))) / np.reshape(spec.std, (1, 3, 1, 1))
    (stride4,) = model._image.run(["stride4"], {"image": image.astype(np.float32)})
    across = (stride4[0] * middle(stride4.shape[3])).sum(axis=2)  # (64, 32)
    expected = across.reshape(64, STRIPES, -1).mean(axis=2).ravel()
    measures = Runner(measures_graph(stem, words))(crops)
    assert np.abs(measures[0, -64 * STRIPES :] - expected).max() < 1e-4


def test_embeddings_are_projected_measures_of_one_length(
    stem: Stem, words: Words, crops: np.ndarray
) -> None:
    measures = Runner(measures_graph(stem, words))(crops)
    random = np.random.RandomState(2)
    mean, projection = measures.mean(axis=0), random.randn(measures.shape[1], 4).astype(np.float32)
    embeddings = Runner(embedding_graph(stem, words, mean, projection, norm=3.0))(crops)
    expected = (measures - mean) @ projection
    expected *= 3 / np.linalg.norm(expected, axis=1, keepdims=True)
    assert np.abs(embeddings - expected).max() < 0.02  # constants are held in fp16


# What is learned


def test_words_are_the_centres_of_clusters() -> None:
    random = np.random.RandomState(0)
    centres = np.array([[0, 0, 0], [3, 0, 0], [0, 3, 3]], np.float32)
    pixels = centres.repeat(50, axis=0) + random.randn(150, 3).astype(np.float32) * 0.1
    found = find_words(pixels, 3, random).centres
    apart = np.abs(found[:, None] - centres).max(axis=-1)
    assert sorted(apart.argmin(axis=1)) == [0, 1, 2] and apart.min(axis=1).max() < 0.1


def test_moments_are_those_of_all_views_at_once() -> None:
    views = np.random.RandomState(0).randn(5, 4, 3).astype(np.float32) + np.arange(5)[:, None, None]
    moments = Moments(3)
    for instance in views:
        moments.add(instance)
    assert moments.mean() == pytest.approx(views.mean(axis=(0, 1)), abs=1e-6)
    within = np.mean([np.cov(instance.T) for instance in views], axis=0)
    assert moments.within() == pytest.approx(within, abs=1e-6)
    assert moments.total() == pytest.approx(np.cov(views.reshape(-1, 3).T, bias=True), abs=1e-6)


def test_a_weight_of_two_is_the_same_instance_twice() -> None:
    views = np.random.RandomState(0).randn(3, 4, 2).astype(np.float32)
    weighted, twice = Moments(2), Moments(2)
    for instance, weight in zip(views, (1, 2, 1), strict=True):
        weighted.add(instance, weight)
        for _ in range(weight):
            twice.add(instance)
    for answer in ("mean", "within", "total"):
        assert getattr(weighted, answer)() == pytest.approx(getattr(twice, answer)())


def test_the_projection_looks_where_instances_differ_and_views_do_not() -> None:
    random = np.random.RandomState(0)
    moments = Moments(3)
    for identity in random.randn(200):
        background = 50 * random.randn(4)  # large, and another one in each view
        noise = random.randn(4)
        moments.add(np.stack([np.full(4, identity), background, noise], axis=1))
    projection = discriminant(moments.within(), moments.total(), 1, shrinkage=1e-6)
    assert np.abs(projection[0, 0]) > 50 * np.abs(projection[1:, 0]).max()


# Views


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


def test_other_colours_keep_the_shape() -> None:
    pixels = np.full((4, 6, 3), (10, 20, 160), np.uint8)
    pixels[:, 3:] = (160, 20, 10)
    found = recoloured(pixels, np.random.RandomState(0))
    assert found.shape == pixels.shape and np.abs(found.astype(int) - pixels).max() > 30
    assert (found[:, :3] == found[0, 0]).all() and (found[:, 3:] == found[0, 3]).all()
    assert (found[0, 0] != found[0, 3]).any()


def test_boxes_are_linked_only_where_no_other_comes_near() -> None:
    box, near, far = np.array([[0, 0, 10, 20], [5, 0, 15, 20], [50, 0, 60, 20]], np.float32)
    labels = np.zeros(3, np.int64)
    assert link([(box, 0), (far, 0)], np.stack([far, box]), labels[:2]) == {0: 1, 1: 0}
    assert link([(box, 0)], np.stack([box, near]), labels[:2]) == {}  # two could be it
    assert link([(box, 0), (near, 0)], box[None], labels[:1]) == {}  # it could be two
    assert link([(box, 0)], box[None], labels[:1] + 1) == {}  # of another class
    assert link([], box[None], labels[:1]) == {} == link([(box, 0)], np.zeros((0, 4)), labels[:0])


# The bundle


def test_putting_an_embedding_leaves_the_rest_of_the_description(
    tmp_path: Path, stem: Stem, words: Words, crops: np.ndarray
) -> None:
    bundle = Path(shutil.copytree(BUNDLE, tmp_path / "bundle"))
    before = (bundle / "bundle.yaml").read_text().splitlines()
    size = Runner(measures_graph(stem, words)).size
    projection = np.eye(size, 3, dtype=np.float32)
    graph = embedding_graph(stem, words, np.zeros(size, np.float32), projection, norm=2.0)
    put_embedding(bundle, graph, "a test: it's random")
    after = (bundle / "bundle.yaml").read_text().splitlines()
    assert len(set(before) - set(after)) == 2  # digest and provenance
    assert read_bundle(bundle).provenance["embedding"] == "a test: it's random"
    model = load_model(bundle)
    frame = crops[0].transpose(1, 2, 0).astype(np.uint8)
    embeddings = model.embed(model.encode(frame), np.array([[0, 0, 64, 128]], np.float32))
    assert embeddings.shape == (1, 3) and np.linalg.norm(embeddings) == pytest.approx(2.0, rel=1e-4)


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
    command.main([str(bundle), "--segments", str(tmp_path), *options])
    model = load_model(bundle)
    frame = np.zeros((64, 96, 3), np.uint8)
    frame[:, :32], frame[:, 32:64], frame[:, 64:] = (30, 30, 200), (30, 30, 180), (200, 60, 30)
    boxes = np.array([[0, 0, 32, 64], [32, 0, 64, 64], [64, 0, 96, 64]], np.float32)
    embeddings = model.embed(model.encode(frame), boxes)
    assert embeddings.shape == (3, 12)
    assert embeddings[0] @ embeddings[1] > embeddings[0] @ embeddings[2]


def test_the_command_says_that_no_segment_can_be_used(tmp_path: Path) -> None:
    bundle = Path(shutil.copytree(BUNDLE, tmp_path / "bundle"))
    image, segments = scene(0)
    write_image(tmp_path / "0.png", image)
    write_segments(tmp_path / "0.json", "0.png", segments)
    with pytest.raises(SystemExit, match="no segment that can be used"):
        command.main([str(bundle), "--segments", str(tmp_path), "--only", "x*"])
