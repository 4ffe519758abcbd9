"""Adaptation learns what makes no difference, and says so where it learns nothing."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper

from masa_core.assets import asset_path
from masa_core.io import SourceFrame
from masa_core.runtime.ort import OrtModel
from masa_core.structures import Detections
from training import adapt
from training.adapt_layer import Layer, append, choose, fit, self_retrieval
from training.sightings import Sightings, sightings

SECOND = 1_000_000_000


class Model:
    """Finds what `places` says of a frame's index, which is in its first pixel."""

    def __init__(self, places: list[list[tuple[int, int]]]) -> None:
        self.places = places

    def encode(self, frame_bgr):
        return int(frame_bgr[0, 0, 0]), frame_bgr

    def detect(self, features):
        boxes = np.array([(x, y, x + 40, y + 40) for x, y in self.places[features[0]]], np.float32)
        return Detections(boxes.reshape(-1, 4), np.full(len(boxes), 0.9), np.zeros(len(boxes)))

    def embed(self, features, boxes):
        return np.concatenate((boxes, np.ones((len(boxes), 1))), axis=1).astype(np.float32)


def frames(count: int, epochs: list[int] | None = None) -> list[SourceFrame]:
    images = [np.full((200, 200, 3), i, np.uint8) for i in range(count)]
    numbers = epochs or [0] * count
    return [
        SourceFrame(image, i * SECOND // 2, str(i), i, epoch=numbers[i])
        for i, image in enumerate(images)
    ]


def test_things_are_followed_while_no_other_can_be_meant() -> None:
    """Two walk apart; in frame 3 a third stands all but where the first is."""
    places = [[(10, 10), (10, 120)], [(14, 10), (14, 120)], [(18, 10), (18, 120)]]
    places.append([(22, 10), (22, 120), (28, 16)])
    things = sightings(Model(places), frames(4))
    assert sorted(len(thing.rows) for thing in things) == [1, 1, 3, 4]
    longest = max(things, key=lambda thing: len(thing.rows))
    assert (longest.first_ns, longest.last_ns) == (0, 3 * SECOND // 2)
    assert longest.all().shape == (8, 5) and longest.beside(things[0])


def test_every_image_of_a_folder_is_looked_at(tmp_path: Path) -> None:
    """At the rate of a video, nine of ten would be passed over as too close in time."""
    for number in range(6):
        image = np.full((200, 200, 3), number, np.uint8)
        cv2.imwrite(str(tmp_path / f"{number}.png"), image)
    (tmp_path / "6.png").write_bytes(b"no image")
    things = adapt.gather(Model([[(10 + i, 10)] for i in range(6)]), [tmp_path], None, 1.0, 0)
    assert [len(thing.rows) for thing in things] == [6]


def test_things_end_where_the_clock_goes_back() -> None:
    things = sightings(Model([[(10, 10)]] * 4), frames(4, [0, 0, 1, 1]))
    assert [len(thing.rows) for thing in things] == [2, 2]


def seen(noise: float, seed: int = 0, count: int = 80) -> list[Sightings]:
    """Things told apart by 6 numbers; 2 more change from look to look by ``noise``."""
    random = np.random.RandomState(seed)
    things = []
    for _ in range(count):
        own = np.concatenate((random.randn(6), np.zeros(2)))

        def look(own=own):
            changing = np.concatenate((0.02 * random.randn(6), noise * random.randn(2)))
            return (own + changing).astype(np.float32)

        things.append(Sightings(0, 1, [look(), look()], [look(), look()]))
    return things


def test_what_changes_from_look_to_look_counts_less_afterwards() -> None:
    things, others = seen(1.5), seen(1.5, seed=1)
    shrinkage, before, after = choose(things)
    assert shrinkage is not None and after > before + 0.3
    layer = fit(things, shrinkage)
    assert self_retrieval(others, layer) > self_retrieval(others, lambda rows: rows) + 0.3
    lengths = np.linalg.norm(layer(others[0].all()), axis=1)
    np.testing.assert_allclose(lengths, layer.norm, rtol=1e-5)
    own = [np.linalg.norm(thing.all(), axis=1).mean() for thing in things]
    assert layer.norm == pytest.approx(np.median(own))


def test_no_layer_where_nothing_can_be_gained() -> None:
    assert choose(seen(0.0)) == (None, 1.0, 1.0)


def test_the_graph_does_what_the_layer_does_also_twice() -> None:
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        [helper.make_node("Mul", ["boxes", "boxes"], ["embeddings"])],
        "squares",
        [value("boxes", TensorProto.FLOAT, ["n", 4])],
        [value("embeddings", TensorProto.FLOAT, ["n", 4])],
    )
    opsets = [helper.make_opsetid("", 17)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    random = np.random.RandomState(0)
    layer = Layer(
        random.randn(4).astype(np.float32) / 4, random.randn(4, 4).astype(np.float32), 5.0
    )
    boxes = random.randn(7, 4).astype(np.float32)
    expected = boxes**2
    for _ in range(2):
        model = append(model, layer)
        onnx.checker.check_model(model, full_check=True)
        expected = layer(expected)
        session = onnxruntime.InferenceSession(model.SerializeToString())
        (found,) = session.run(["embeddings"], {"boxes": boxes})
        np.testing.assert_allclose(found, expected, atol=0.02)  # its weights are fp16


def test_what_would_fail_at_the_end_is_said_before(tmp_path: Path, monkeypatch, capsys) -> None:
    monkeypatch.setattr(adapt, "gather", lambda *_: pytest.fail("hours for nothing"))
    bundle = str(asset_path("nanodet_masa"))
    (tmp_path / "file").touch()
    assert adapt.main([bundle, "night.mp4", "--out", str(tmp_path / "file" / "new")]) == 1
    assert "training.adapt: " in capsys.readouterr().err
    clip = ["--clip", "test.mp4", "none.txt"]
    assert adapt.main([bundle, "night.mp4", "--out", str(tmp_path / "new"), *clip]) == 1
    assert "none.txt is not there" in capsys.readouterr().err


def test_the_new_bundle_runs_and_the_old_one_stays(tmp_path: Path, monkeypatch, capsys) -> None:
    old, out = tmp_path / "old", tmp_path / "new"
    shutil.copytree(asset_path("nanodet_masa"), old)
    files = {path.name: path.read_bytes() for path in old.iterdir()}
    size = OrtModel(old).embed(None, np.zeros((0, 4))).shape[1]
    random = np.random.RandomState(0)
    things = [
        Sightings(0, 1, list(rows[:2]), list(rows[2:]))
        for rows in random.randn(60, 4, size).astype(np.float32)
    ]
    monkeypatch.setattr(adapt, "gather", lambda *_: things)
    monkeypatch.setattr(adapt, "choose", lambda _: (1.0, 0.5, 0.6))
    command = [str(old), "night.mp4", "--out", str(out)]
    assert adapt.main(command) == 0
    assert "in 50.0% of cases, and in 60.0%" in capsys.readouterr().out
    assert files == {path.name: path.read_bytes() for path in old.iterdir()}

    frame = random.randint(0, 256, (120, 160, 3), dtype=np.uint8)
    boxes = np.array([[10, 10, 60, 100], [70, 20, 150, 110]], np.float32)
    before, after = OrtModel(old), OrtModel(out)
    assert after.name == "new" and "night.mp4" in after.bundle.provenance["adaptation"]
    embeddings = after.embed(after.encode(frame), boxes)
    expected = fit(things, 1.0)(before.embed(before.encode(frame), boxes))
    np.testing.assert_allclose(embeddings, expected, atol=0.02)

    assert adapt.main(command) == 1
    assert "is there already" in capsys.readouterr().err
    monkeypatch.setattr(adapt, "gather", lambda *_: things[:5])
    assert adapt.main([*command[:-1], str(tmp_path / "other")]) == 1
    assert "40 things are needed" in capsys.readouterr().err
    monkeypatch.setattr(adapt, "gather", lambda *_: things)
    monkeypatch.setattr(adapt, "choose", lambda _: (None, 0.9, 0.9))
    assert adapt.main([*command[:-1], str(tmp_path / "other")]) == 1
    assert not (tmp_path / "other").exists()
