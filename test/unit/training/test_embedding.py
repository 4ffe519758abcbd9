"""The default embedding: what its graph measures, how it is fitted, and where it goes."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest

from masa_core import load_model
from masa_core.assets import asset_path
from masa_core.runtime.bundle import read_bundle
from masa_core.runtime.ort import OrtModel
from training.embedding.bundle import put_embedding
from training.embedding.fit import Moments, discriminant, find_words
from training.embedding.form import (
    BACKGROUND,
    CROP,
    FLOOR,
    STRIPES,
    Form,
    Graph,
    Stem,
    Words,
    cut_stem,
    embedding_graph,
    measures_graph,
)
from training.embedding.run import Runner
from training.embedding.tracklets import link

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


@pytest.fixture(scope="module")
def form(stem: Stem, words: Words) -> Form:
    """Its foreground is where the stem's first channel is large."""
    graph = Graph()
    first, second = (graph.constant([number], np.int64) for number in (0, 1))
    graph.node("Slice", "stride4", first, second, second, name="foreground")
    return Form(stem, words, graph.model("stride4", [64, 32, 16], "foreground", [1, 32, 16]))


def stem_maps(crops: np.ndarray) -> dict[str, np.ndarray]:
    """Maps of the whole detector, each crop a frame."""
    model = load_model("nanodet_masa", threads=1)
    assert isinstance(model, OrtModel)
    spec = model.bundle.image
    images = (crops - np.reshape(spec.mean, (1, 3, 1, 1))) / np.reshape(spec.std, (1, 3, 1, 1))
    maps = [model._image.run(["stride4"], {"image": i[None].astype("f4")})[0] for i in images]
    return {"stride4": np.concatenate(maps)}


def weights(crops: np.ndarray, rows: int) -> np.ndarray:
    """(N, rows, rows / 2): weights of cells, of which each stripe has 1 in sum."""
    chance = 1 / (1 + np.exp(-stem_maps(crops)["stride4"][:, 0]))
    found = BACKGROUND + (1 - BACKGROUND) * chance
    found = found.repeat(rows // 32, axis=1).repeat(rows // 32, axis=2)
    striped = found.reshape(len(crops), STRIPES, -1)
    return (striped / striped.sum(axis=2, keepdims=True)).reshape(found.shape)


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
    weighted = belongs * weights(crops, height // 2)[..., None]
    return weighted.reshape(n, STRIPES, -1, len(words.centres)).sum(axis=2)


# The graph


def test_shares_of_words_are_those_of_the_definition(form: Form, crops: np.ndarray) -> None:
    measures = Runner(measures_graph(form))(crops)
    expected = np.sqrt(shares_of_words(crops, form.words) + FLOOR).reshape(3, -1)
    assert np.abs(measures[:, : STRIPES * 5] - expected).max() < 1e-4


def test_the_stem_is_that_of_the_detector(form: Form, crops: np.ndarray) -> None:
    weighted = stem_maps(crops)["stride4"] * weights(crops, 32)[:, None]
    expected = weighted.reshape(3, 64, STRIPES, -1).sum(axis=3).reshape(3, -1)
    measures = Runner(measures_graph(form))(crops)
    assert np.abs(measures[:, -64 * STRIPES :] - expected).max() < 1e-4


def test_embeddings_are_projected_measures_of_one_length(form: Form, crops: np.ndarray) -> None:
    measures = Runner(measures_graph(form))(crops)
    random = np.random.RandomState(2)
    mean, projection = measures.mean(axis=0), random.randn(measures.shape[1], 4).astype(np.float32)
    embeddings = Runner(embedding_graph(form, mean, projection, norm=3.0))(crops)
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


def test_what_is_included_has_its_share() -> None:
    random = np.random.RandomState(0)
    few, many, all_equal = Moments(2), Moments(2), Moments(2)
    for number, views in enumerate(random.randn(6, 4, 2).astype(np.float32)):
        (few if number < 2 else many).add(views)
        for _ in range(2 if number < 2 else 1):
            all_equal.add(views)
    many.include(few, share=0.5)
    for answer in ("mean", "within", "total"):
        assert getattr(many, answer)() == pytest.approx(getattr(all_equal, answer)())
    before = many.mean()
    many.include(Moments(2), share=0.5)
    assert many.mean() == pytest.approx(before)  # of nothing


def test_the_projection_looks_where_instances_differ_and_views_do_not() -> None:
    random = np.random.RandomState(0)
    moments = Moments(3)
    for identity in random.randn(200):
        background = 50 * random.randn(4)  # large, and another one in each view
        noise = random.randn(4)
        moments.add(np.stack([np.full(4, identity), background, noise], axis=1))
    projection = discriminant(moments.within(), moments.total(), 1, shrinkage=1e-6)
    assert np.abs(projection[0, 0]) > 50 * np.abs(projection[1:, 0]).max()


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
    tmp_path: Path, form: Form, crops: np.ndarray
) -> None:
    bundle = Path(shutil.copytree(BUNDLE, tmp_path / "bundle"))
    before = (bundle / "bundle.yaml").read_text().splitlines()
    size = Runner(measures_graph(form)).size
    projection = np.eye(size, 3, dtype=np.float32)
    graph = embedding_graph(form, np.zeros(size, np.float32), projection, norm=2.0)
    put_embedding(bundle, graph, "a test: it's random")
    after = (bundle / "bundle.yaml").read_text().splitlines()
    assert len(set(before) - set(after)) == 2  # digest and provenance
    assert read_bundle(bundle).provenance["embedding"] == "a test: it's random"
    model = load_model(bundle)
    frame = crops[0].transpose(1, 2, 0).astype(np.uint8)
    embeddings = model.embed(model.encode(frame), np.array([[0, 0, 64, 128]], np.float32))
    assert embeddings.shape == (1, 3) and np.linalg.norm(embeddings) == pytest.approx(2.0, rel=1e-4)
