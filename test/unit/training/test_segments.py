"""Segmenting by a teacher: what is written, what is left alone, and what stops nothing."""

from __future__ import annotations

import json
import sys
from functools import partial
from pathlib import Path

import cv2
import numpy as np
import pytest
from scenes import scene, write_image

from masa_core.assets import asset_path
from masa_core.masks import paste_mask
from training import check
from training import segments as command
from training.sa1b import EMPTY_MASK, read_segments
from training.teachers import Found


def find_scene(image: np.ndarray) -> Found:
    """A teacher that knows what it is shown by the first pixel."""
    segments = scene(int(image[0, 0, 0]))[1]
    rows = [{"stability_score": 0.96}] * len(segments)
    return Found(segments.boxes, segments.scores, segments.masks, rows)


@pytest.fixture
def images(tmp_path: Path) -> Path:
    """Six images, nested; image k shows in its first pixel that it is scene k."""
    for number in range(6):
        image = scene(number)[0]
        image[0, 0] = number
        write_image(tmp_path / "images" / ("ab"[number % 2]) / f"{number}.png", image)
    return tmp_path / "images"


@pytest.fixture
def with_teacher(monkeypatch: pytest.MonkeyPatch) -> list[np.ndarray]:
    """Lets `find_scene` teach; the images that it was shown."""
    shown: list[np.ndarray] = []

    def teacher(image: np.ndarray) -> Found:
        shown.append(image)
        return find_scene(image)

    monkeypatch.setattr(command, "_teacher", lambda args: teacher)
    return shown


def test_segments_lie_beside_their_images(images: Path, with_teacher: list) -> None:
    assert command.main([str(images)]) == 0
    for number in range(6):
        path = images / "ab"[number % 2] / f"{number}.json"
        expected = scene(number)[1]
        found = read_segments(path)
        assert found.masks == expected.masks
        assert set(found.sources) == {"sam"}
        content = json.loads(path.read_text())
        assert content["image"]["file_name"] == f"{number}.png"
        assert content["annotations"][0]["stability_score"] == 0.96
    ids = [read_segments(path).ids for path in images.rglob("*.json")]
    everything = np.concatenate(ids)
    assert len(np.unique(everything)) == len(everything)
    assert everything.max() < 1 << 53


def test_what_is_done_is_not_done_again(images: Path, with_teacher: list, tmp_path: Path) -> None:
    out = ["--out", str(tmp_path / "json")]
    assert command.main([str(images), *out]) == 0
    assert not list(images.rglob("*.json"))
    (tmp_path / "json" / "a" / "2.json").write_text("{")  # damaged: to be done again
    (tmp_path / "json" / "b" / "1.json").unlink()
    before = len(with_teacher)
    assert command.main([str(images), *out]) == 0
    assert sorted(int(image[0, 0, 0]) for image in with_teacher[before:]) == [1, 2]


def test_shards_share_the_work(
    images: Path, with_teacher: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert command.main([str(images), "--shard", "1/3"]) == 0
    assert len(with_teacher) == 2
    monkeypatch.setenv("RANK", "0")  # as torchrun sets them
    monkeypatch.setenv("WORLD_SIZE", "3")
    assert command.main([str(images)]) == 0
    monkeypatch.setenv("RANK", "2")
    assert command.main([str(images)]) == 0
    assert sorted(int(image[0, 0, 0]) for image in with_teacher) == list(range(6))


def test_bad_images_are_listed_and_stop_nothing(
    images: Path, with_teacher: list, capsys: pytest.CaptureFixture[str]
) -> None:
    (images / "a" / "0.png").write_bytes(b"no image")
    assert command.main([str(images)]) == 0
    assert not (images / "a" / "0.json").exists()
    output = capsys.readouterr()
    assert "5 images segmented" in output.out
    assert "1 could not be segmented" in output.out
    assert "0.png is not an image" in output.err
    for path in images.rglob("*.png"):
        path.write_bytes(b"no image")
    for path in images.rglob("*.json"):
        path.unlink()
    assert command.main([str(images)]) == 1


def test_an_annotation_tools_file_is_never_written_over(
    images: Path, with_teacher: list, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = '{"version": "5.0.1", "shapes": [{"label": "car"}], "imagePath": "0.png"}'
    (images / "a" / "0.json").write_text(drawn)
    assert command.main([str(images)]) == 0
    assert (images / "a" / "0.json").read_text() == drawn
    output = capsys.readouterr()
    assert "5 images segmented" in output.out
    assert "0.json is not SA-1B's JSON: it lacks 'image'; it is left as it is" in output.err


def test_a_file_that_cannot_be_written_ends_it_at_once(
    images: Path, with_teacher: list, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("no folder")
    assert command.main([str(images), "--out", str(tmp_path / "out")]) == 2
    assert len(with_teacher) == 1  # not hours for nothing
    assert "0.json cannot be written (Not a directory): make room" in capsys.readouterr().err


def test_an_image_too_large_for_the_memory_is_listed(
    images: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def teacher(image: np.ndarray) -> Found:
        if image[0, 0, 0] == 3:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory\nmore lines")
        return find_scene(image)

    monkeypatch.setattr(command, "_teacher", lambda args: teacher)
    assert command.main([str(images)]) == 0
    output = capsys.readouterr()
    assert "5 images segmented" in output.out
    assert "3.png: the teacher fails on 128x96 px (DefaultCPU" in output.err


def test_a_second_image_of_the_same_name_is_left_alone(images: Path, with_teacher: list) -> None:
    write_image(images / "a" / "0.tif", np.zeros((9, 9, 3), np.uint8))
    assert command.main([str(images)]) == 0
    assert json.loads((images / "a" / "0.json").read_text())["image"]["width"] == 128


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (["nowhere"], "nowhere is no folder"),
        ([".", "--shard", "3/3"], "PART/PARTS"),
        ([".", "--shard", "x"], "PART/PARTS"),
        (["none"], "no images in"),
        (["images", "--checkpoint", "sam_vit_b.pth"], "sam_vit_b.pth is not there"),
        (["images", "--checkpoint", "images/a.png"], "which SAM is in"),
    ],
)
def test_wrong_arguments_are_explained(
    tmp_path: Path,
    arguments: list[str],
    reason: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "none").mkdir()
    write_image(tmp_path / "images" / "a.png", np.zeros((8, 8, 3), np.uint8))
    monkeypatch.chdir(tmp_path)
    assert command.main(arguments) == 2
    assert reason in capsys.readouterr().err


def test_a_teacher_may_give_boxes_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def boxes_only(image: np.ndarray) -> Found:
        return Found(np.array([[1, 2, 30, 40]], np.float32), np.ones(1, np.float32), None)

    monkeypatch.setattr(command, "_teacher", lambda args: boxes_only)
    write_image(tmp_path / "a.jpg", scene(0)[0])
    assert command.main([str(tmp_path)]) == 0
    assert read_segments(tmp_path / "a.json").masks == [EMPTY_MASK]


class _Proposes:
    """A model with a distilled head, in the manner of a bundle."""

    name, has_proposals, has_masks = "small", True, True

    def encode(self, image: np.ndarray) -> np.ndarray:
        return image

    def detect_objects(self, image: np.ndarray):
        from masa_core.structures import Detections

        segments = scene(2)[1]
        count = len(segments)
        scores = np.linspace(0.9, 0.05, count, dtype=np.float32)
        return Detections(segments.boxes + 3, scores, np.zeros(count, np.int64))

    def masks(self, image: np.ndarray, boxes: np.ndarray):
        return [EMPTY_MASK, *scene(2)[1].masks[1 : len(boxes)]]


def test_proposals_are_a_teacher(tmp_path: Path) -> None:
    from masa_core.runtime import ModelError
    from training.teachers.proposals import Proposals

    found = Proposals(_Proposes(), min_score=0.1)(scene(2)[0])
    expected = scene(2)[1]  # its boxes surround its masks, those of the head do not
    count = len(expected) - 1  # the last is not sure enough, the first has an empty mask
    np.testing.assert_array_equal(found.boxes, expected.boxes[1:count])
    assert found.masks == expected.masks[1:count]
    model = _Proposes()
    model.has_proposals = False
    with pytest.raises(ModelError, match="no head that proposes"):
        Proposals(model, 0.1)


def test_the_default_bundle_is_a_teacher_that_the_check_passes(tmp_path: Path) -> None:
    video = cv2.VideoCapture(str(asset_path("drive/solidWhiteRight.mp4")))
    write_image(tmp_path / "images" / "a" / "0.jpg", video.read()[1])
    video.release()
    folders = [str(tmp_path / "images"), "--out", str(tmp_path / "json")]
    bundle = str(asset_path("nanodet_masa"))
    assert command.main([*folders, "--teacher", "proposals", "--model", bundle]) == 0
    found = read_segments(tmp_path / "json" / "a" / "0.json")
    assert len(found) > 20  # cars, lane markings, parts of the road
    assert all(mask.width for mask in found.masks)
    assert set(found.sources) == {"proposals"}
    where = [folders[0], "--segments", folders[2]]
    assert check.main([*where, "--workers", "1"]) == 0


@pytest.mark.torch
def test_sam_is_a_teacher(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    pytest.importorskip("segment_anything")
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from models.small import small_sam

    from training.teachers.sam import SamEverything, Settings

    loose = Settings(points_per_side=4, pred_iou=-9, stability=0, min_region_area=20)
    teacher = SamEverything(small_sam(), loose)
    image = scene(1)[0]
    found = teacher(image)
    assert len(found.boxes) == len(found.masks) == len(found.details) > 0
    assert (np.diff(found.scores) <= 0).all()
    for mask, box, detail in zip(found.masks, found.boxes, found.details, strict=True):
        assert box.tolist() == [mask.x, mask.y, mask.x + mask.width, mask.y + mask.height]
        assert box[2] <= image.shape[1]
        assert box[3] <= image.shape[0]
        assert 0 <= detail["stability_score"] <= 1
    sure = SamEverything(small_sam(), Settings(points_per_side=4, pred_iou=1e6))
    assert len(sure(image).boxes) == 0


@pytest.mark.torch
def test_sam_finds_what_the_package_finds_with_its_own_encoder() -> None:
    torch = pytest.importorskip("torch")
    package = pytest.importorskip("segment_anything")
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from models.small import SIZE, small_sam

    from training.teachers.sam import SamEverything, Settings

    sam = small_sam()
    encoder = package.modeling.ImageEncoderViT(
        img_size=SIZE,
        embed_dim=24,
        depth=4,
        num_heads=2,
        out_chans=32,
        norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
        use_rel_pos=True,
        window_size=14,
        global_attn_indexes=(0, 1, 2, 3),
    )
    encoder.load_state_dict(sam.backbone.state_dict())
    whole = package.modeling.Sam(encoder, sam.prompt_encoder, sam.mask_decoder).eval()
    generator = package.SamAutomaticMaskGenerator(
        whole, points_per_side=4, pred_iou_thresh=-9, stability_score_thresh=0.3
    )
    image = scene(1)[0]
    expected = generator.generate(np.ascontiguousarray(image[:, :, ::-1]))
    settings = Settings(points_per_side=4, pred_iou=-9, stability=0.3, min_region_area=0)
    found = SamEverything(sam, settings)(image)
    expected.sort(key=lambda row: -row["predicted_iou"])
    assert len(found.boxes) == len(expected) > 0
    np.testing.assert_allclose(found.scores, [row["predicted_iou"] for row in expected], atol=1e-4)
    for mask, row in zip(found.masks, expected, strict=True):
        assert (paste_mask(mask, *image.shape[:2]) != row["segmentation"]).mean() < 1e-3
