"""Malformed files are told with file, line and reason."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from masa_core.evaluation import FormatError, evaluate
from masa_core.evaluation.formats_kitti import read_kitti_labels, read_kitti_masks, read_seqmaps
from masa_core.evaluation.formats_mot import read_mot, sequence_length
from masa_core.evaluation.formats_scalabel import read_scalabel

from .scenes import WRITERS, Box, Scene, random_scene, write_scalabel, write_tao, write_vis

GOOD = "1,1,10,20,30,40,1,1,1"


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1,1,10,20", "has 4 columns, needs 8"),
        ("1,one,10,20,30,40,1,1,1", "id is 'one', not a number"),
        ("1,2,10,nan,30,40,1,1,1", "not finite"),
        ("0,2,10,20,30,40,1,1,1", "frames count from 1"),
        ("1.5,2,10,20,30,40,1,1,1", "frame is 1.5, not a whole number"),
        ("1,-1,10,20,30,40,1,1,1", "ids are not negative"),
        ("1,2,10,20,-30,40,1,1,1", "negative sizes"),
        ("1,1,11,21,30,40,1,1,1", "id 1 comes twice in frame 1"),
        ("", "has 0 columns"),
        ("1,2,,20,30,40,1,1,1", "left is '', not a number"),
        ("1,2,10,20,30,40,1,1", "has 8 columns, a line before it of frame 1 has 9"),
        ("1,2,10,20,30,40,1,1,x", "column 9 is 'x', not a number"),
        ("9999999999,2,10,20,30,40,1,1,1", "frame is 9999999999, above"),
        ("1,9999999999,10,20,30,40,1,1,1", "number the tracks from 1"),
    ],
)
def test_mot_lines(line: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "gt.txt"
    path.write_text(f"{GOOD}\n{line}\n2,1,10,20,30,40,1,1,1\n")
    with pytest.raises(FormatError, match=reason) as caught:
        read_mot(path, truth=True)
    assert str(caught.value).startswith(f"{path}:2: ")


def test_mot_separated_by_spaces(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("1 7 10.5 20 30 40 0.5\n")
    rows = read_mot(path)
    assert (rows.ids.tolist(), rows.boxes.tolist()) == ([7], [[10.5, 20, 30, 40]])


@pytest.mark.parametrize(
    ("truth", "results", "reason"),
    [
        (
            "1,1,10,20,30,40,1,1,1\n1,2,10,20,30,40,1,14,1\n",
            "",
            r"gt.txt:2: class is 14, it is 1 to",
        ),
        (
            f"{GOOD}\n",
            "1,1,10,20,30,40,1,3,1\n",
            r"A.txt:1: class is 3; results are of pedestrians",
        ),
    ],
)
def test_mot_classes(truth: str, results: str, reason: str, tmp_path: Path) -> None:
    pytest.importorskip("trackeval")
    (tmp_path / "gt.txt").write_text(truth)
    (tmp_path / "A.txt").write_text(results)
    with pytest.raises(FormatError, match=reason):
        evaluate(tmp_path / "gt.txt", tmp_path / "A.txt", "mot")


def test_a_frame_beyond_the_sequence(tmp_path: Path) -> None:
    truth, results = WRITERS["mot"](random_scene(0), tmp_path)
    file = results / "0000.txt"
    file.write_text(file.read_text() + "99,5,1,2,3,4,0.9,-1,-1,-1\n")
    with pytest.raises(FormatError, match=r"0000.txt:\d+: frame 99 is beyond the sequence's"):
        evaluate(truth, results, "mot")


def test_a_sequence_without_results(tmp_path: Path) -> None:
    truth, results = WRITERS["mot"](random_scene(0), tmp_path)
    (results / "0000.txt").unlink()
    with pytest.raises(FileNotFoundError, match="no results for sequence 0000"):
        evaluate(truth, results, "mot")


def test_seqinfo_without_a_length(tmp_path: Path) -> None:
    (tmp_path / "seqinfo.ini").write_text("[Sequence]\nname=A\n")
    with pytest.raises(FormatError, match="gives no seqLength"):
        sequence_length(tmp_path)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("0 1 Car 0 0", "has 5 columns, needs 17"),
        ("0 1 Boat 0 0 -10 1 2 3 4 1 1 1 1 1 1 1", "unknown type 'boat'"),
        ("0 1 Car 0 0 -10 a 2 3 4 1 1 1 1 1 1 1", "x1 is 'a', not a number"),
        ("-1 1 Car 0 0 -10 1 2 3 4 1 1 1 1 1 1 1", "frames count from 0"),
        ("0 9 Car 0 0 -10 1 2 3 4 1 1 1 1 1 1 1", "id 9 comes twice in frame 0"),
        ("0 9.0 Car 0 0 -10 1 2 3 4 1 1 1 1 1 1 1", "id 9 comes twice in frame 0"),
        ("0 1 Car 0 0 -10 nan 2 3 4 1 1 1 1 1 1 1", "x1 is nan, not a finite number"),
        ("0 1 Car 0 0 -10 1 2 3 4 1 1 1 1 1 1 1 0.9", "has 18 columns, a line before it"),
        ("1 1 Car 0 0 -10 1 2 3 4 1 1 1 1 1 1 1 x", "score is 'x', not a number"),
        ("9999999999 1 Car 0 0 -10 1 2 3 4 1 1 1 1 1 1 1", "frame is 9999999999, above"),
    ],
)
def test_kitti_lines(line: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "0000.txt"
    path.write_text(f"0 9 Car 0 0 -10 1 2 3 4 1 1 1 1 1 1 1\n{line}\n")
    with pytest.raises(FormatError, match=reason) as caught:
        read_kitti_labels(path)
    assert str(caught.value).startswith(f"{path}:2: ")


def test_kitti_mask_lines(tmp_path: Path) -> None:
    path = tmp_path / "0000.txt"
    path.write_text("0 1001 1 10 x abc\n")
    with pytest.raises(FormatError, match=r"0000.txt:1: width is 'x', not a number"):
        read_kitti_masks(path)
    path.write_text("0 1001 1 4 5 0d0\n1 1001 1 4 5 0c0\n")
    with pytest.raises(FormatError, match=r"0000.txt:2: a mask.s run lengths do not fill"):
        read_kitti_masks(path)


def test_a_kitti_sequence_has_its_own_name_in_errors(tmp_path: Path) -> None:
    pytest.importorskip("trackeval")
    for side in ("truth", "results"):
        (tmp_path / side).mkdir()
        for name in ("0006", "0011"):
            (tmp_path / side / f"{name}.txt").write_text("0 1001 1 4 5 0d0\n")
    with (tmp_path / "results" / "0011.txt").open("a") as file:
        file.write("0 1002 1 4 5 0d0\n")
    with pytest.raises(ValueError, match=r"overlapping masks.* Seq: 0011"):
        evaluate(tmp_path / "truth", tmp_path / "results", "kitti_mots")


def test_seqmaps(tmp_path: Path) -> None:
    (tmp_path / "evaluate_tracking.seqmap.val").write_text(
        "1 empty 000000 000154\n\n0002 empty 0\n"
    )
    with pytest.raises(FormatError, match=r"seqmap.val:3: "):
        read_seqmaps(tmp_path, "evaluate_tracking.seqmap.*", last_is_count=True)


def damaged(
    write: Callable[[Scene, Path], tuple[Path, Path]],
    folder: Path,
    side: int,
    change: Callable[[Any], Any],
) -> tuple[Path, Path]:
    box = Box(1, "car", 10, 10, 40, 40)
    paths = write(Scene({"0000": [[box]]}, {"0000": [[box]]}), folder)
    content = json.loads(paths[side].read_text())
    changed = change(content)
    paths[side].write_text(json.dumps(content if changed is None else changed))
    return paths


def label(content: Any) -> Any:
    return content["frames"][0]["labels"][0]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda c: label(c).pop("id"), r"frames\[0\].labels\[0\]: has no 'id'"),
        (lambda c: label(c).pop("category"), r"frames\[0\].labels\[0\]: has no 'category'"),
        (lambda c: label(c)["box2d"].pop("x2"), r"box2d.x2: is null, not a number"),
        (lambda c: label(c)["box2d"].update(x2="7"), r'box2d.x2: is "7", not a number'),
        (lambda c: label(c).update(box2d=[1, 2]), r"box2d: is \[1, 2\], not an object"),
        (lambda c: c["frames"][0].pop("videoName"), r"frames\[0\]: has no 'videoName'"),
        (lambda c: c["frames"][0].update(frameIndex="0"), r"frameIndex: is \"0\", not a whole"),
        (lambda c: c["frames"][0].update(frameIndex=4), "has 1 frames where the truth has 1"),
        (lambda c: c["frames"][0].update(videoName="x"), "holds video x, which"),
        (lambda c: c["frames"].append(c["frames"][0]), "frameIndex 0 twice"),
        (lambda c: c.pop("frames"), "has no 'frames'"),
    ],
)
def test_scalabel(change: Callable[[Any], Any], reason: str, tmp_path: Path) -> None:
    pytest.importorskip("trackeval")
    paths = damaged(write_scalabel, tmp_path, 1, lambda content: (change(content), content)[1])
    with pytest.raises(FormatError, match=reason) as caught:
        evaluate(*paths, "bdd_mot")
    assert str(paths[1]) in str(caught.value)


def test_scalabel_truth_of_an_unknown_class(tmp_path: Path) -> None:
    pytest.importorskip("trackeval")
    paths = damaged(write_scalabel, tmp_path, 0, lambda c: label(c).update(category="tree") or c)
    with pytest.raises(FormatError, match=r"'tree' in 0000-0.jpg is no class of BDD100K"):
        evaluate(*paths, "bdd_mot")


def test_signs_in_the_truth_are_counted_and_not_scored(tmp_path: Path) -> None:
    pytest.importorskip("trackeval")
    paths = damaged(
        write_scalabel, tmp_path, 0, lambda c: label(c).update(category="traffic sign") or c
    )
    with pytest.warns(UserWarning, match="not tracked in BDD100K are left out .1 of traffic sign"):
        evaluate(*paths, "bdd_mot")


def test_results_of_unknown_classes_are_counted(tmp_path: Path) -> None:
    pytest.importorskip("trackeval")
    paths = damaged(write_scalabel, tmp_path, 1, lambda c: label(c).update(category="tree") or c)
    with pytest.warns(UserWarning, match="left out .1 of tree"):
        assert evaluate(*paths, "bdd_mot")["MOTA"] == 0


def test_labels_without_the_wanted_geometry_are_counted(tmp_path: Path) -> None:
    pytest.importorskip("trackeval")
    paths = damaged(write_scalabel, tmp_path, 1, lambda c: label(c).pop("box2d") and None)
    with pytest.warns(UserWarning, match="1 labels have no box2d and are left out"):
        assert evaluate(*paths, "bdd_mot")["FN"] == 1


def test_a_video_without_results_is_told(tmp_path: Path) -> None:
    pytest.importorskip("trackeval")
    paths = damaged(write_scalabel, tmp_path, 1, lambda c: {"frames": []})
    with pytest.warns(UserWarning, match="no results for 1 of 1 videos .0000.: scored as empty"):
        assert evaluate(*paths, "bdd_mot")["FN"] == 1


@pytest.mark.parametrize(
    "settings", [{"families": ["HOTA"]}, {"families": ["TETA"]}, {"evaluator": "trackeval"}]
)
def test_an_id_twice_in_a_frame(settings: dict[str, Any], tmp_path: Path) -> None:
    pytest.importorskip("trackeval")
    paths = damaged(
        write_scalabel, tmp_path, 1, lambda c: c["frames"][0]["labels"].append(label(c))
    )
    with pytest.raises(ValueError, match="video 0000: the results hold an id twice in frame 0"):
        evaluate(*paths, "bdd_mot", **settings)
    assert evaluate(*paths, "bdd_mot", families=["CLEAR"])["FP"] == 1


@pytest.mark.parametrize(
    ("side", "change", "reason"),
    [
        (1, lambda c: c[0].pop("bbox"), r"results\[0\]: has no 'bbox'"),
        (1, lambda c: c[0].update(bbox=[1, 2]), r"results\[0\].bbox: is \[1, 2\], not 4 finite"),
        (1, lambda c: c[0].update(bbox=[1, 2, -3, 4]), r"results\[0\].bbox: has a negative size"),
        (1, lambda c: c[0].update(score="high"), r'results\[0\].score: is "high", not a number'),
        (1, lambda c: c[0].update(image_id=7), r"image_id: is 7, which is no image of the truth"),
        (1, lambda c: c[0].update(video_id=7), r"is 7, but image 100 is of video 1"),
        (1, lambda c: c[0].update(track_id=1.5), r"track_id: is 1.5, not a whole number"),
        (1, lambda c: c[0].update(track_id=10**30), r"track_id: is 1000.*, more than 64 bits hold"),
        (1, lambda c: c[0].update(score=10**400), r"score: is 1000.*, not a finite number"),
        (1, lambda c: c[0].update(video_id=[1, 2]), r"is \[1, 2\], but image 100 is of video 1"),
        (0, lambda c: c["annotations"][0].pop("video_id"), r"is None, but image 100 is of video"),
        (0, lambda c: c.update(tracks=[3]), r"tracks\[0\]: is 3, not an object"),
        (0, lambda c: c["images"][0].pop("frame_index"), r"images\[0\]: has no 'frame_index'"),
        (0, lambda c: c["images"][0].update(video_id=9), r"is 9, which is no video of this file"),
        (0, lambda c: c.pop("categories"), "has no 'categories'"),
        (0, lambda c: c["videos"][0].pop("neg_category_ids"), "has no 'neg_category_ids'"),
    ],
)
def test_tao(side: int, change: Callable[[Any], Any], reason: str, tmp_path: Path) -> None:
    pytest.importorskip("trackeval")
    paths = damaged(write_tao, tmp_path, side, lambda content: (change(content), content)[1])
    with pytest.raises(FormatError, match=reason) as caught:
        evaluate(*paths, "ovmot")
    assert str(paths[side]) in str(caught.value)


@pytest.mark.parametrize(
    ("side", "change", "reason"),
    [
        (1, lambda c: c[0].update(video_id=5), r"video_id: is 5, which is no video of the truth"),
        (1, lambda c: c[0].pop("score"), r"results\[0\].score: is null, not a number"),
        (1, lambda c: c[0].update(segmentations=[None, None]), "has 2 frames, video 1 has 1"),
        (
            1,
            lambda c: c[0]["segmentations"][0].update(size=[1, 1]),
            r"size: is \[1, 1\], the video",
        ),
        (1, lambda c: c[0]["segmentations"][0].pop("counts"), "has no counts"),
        (1, lambda c: c[0]["segmentations"][0].update(counts="1"), "run lengths do not fill its"),
        (
            1,
            lambda c: c[0].update(segmentations=[[3]]),
            r"segmentations\[0\]: is no polygon",
        ),
        (1, lambda c: c[0]["segmentations"][0].update(counts=["x"]), "run lengths cannot be read"),
        (0, lambda c: c["annotations"][0].update(areas=["x"]), "areas: holds what is neither"),
        (0, lambda c: c["videos"][0].update(length="x"), r"length: is \"x\", not a whole number"),
        (0, lambda c: c["videos"][0].update(length=None, file_names=3), "file_names: is 3, not a"),
        (0, lambda c: c["annotations"][0].pop("areas"), r"annotations\[0\]: has no 'areas'"),
    ],
)
def test_vis(side: int, change: Callable[[Any], Any], reason: str, tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    paths = damaged(write_vis, tmp_path, side, lambda content: (change(content), content)[1])
    with pytest.raises(FormatError, match=reason):
        evaluate(*paths, "ytvis")


@pytest.mark.parametrize(
    ("side", "change", "reason"),
    [
        (0, lambda c: c["images"][0].pop("height"), r"images\[0\]: has no 'height'"),
        (0, lambda c: c["annotations"][0].pop("iscrowd"), r"annotations\[0\]: has no 'iscrowd'"),
        (0, lambda c: c["annotations"][0].update(segmentation=[[1]]), "is no polygon"),
        (
            0,
            lambda c: c["annotations"][0].update(segmentation=[[0, 0, 4, 0, 4, float("nan")]]),
            "is no polygon",
        ),
        (1, lambda c: c[0]["segmentation"].update(counts="1"), "run lengths do not fill its frame"),
        (1, lambda c: c[0].update(category_id="x"), r'category_id: is "x", not a whole number'),
        (1, lambda c: c[0].update(image_id=9), "is 9, which is no image of the truth"),
    ],
)
def test_images(side: int, change: Callable[[Any], Any], reason: str, tmp_path: Path) -> None:
    pytest.importorskip("pycocotools")
    mask = {"counts": "0d0", "size": [4, 5]}
    shape = {"image_id": 1, "category_id": 1, "segmentation": mask, "score": 0.9}
    truth = {
        "images": [{"id": 1, "height": 4, "width": 5}],
        "categories": [{"id": 1, "name": "object"}],
        "annotations": [{"id": 1, "iscrowd": 0, "area": 20, **shape}],
    }
    paths, contents = (tmp_path / "truth.json", tmp_path / "results.json"), (truth, [shape])
    contents = json.loads(json.dumps(contents))
    for path, content in zip(paths, contents, strict=True):
        path.write_text(json.dumps(content))
    assert evaluate(*paths, "uvo")["AP"] == pytest.approx(1)
    change(contents[side])
    paths[side].write_text(json.dumps(contents[side]))
    with pytest.raises(FormatError, match=reason) as caught:
        evaluate(*paths, "uvo")
    assert str(paths[side]) in str(caught.value)


def test_text_that_is_no_json(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_text('{"frames": [\n  {"name": }\n]}')
    with pytest.raises(FormatError, match=r"a.json:2: not JSON: .*column 12"):
        read_scalabel(path)
    packed = tmp_path / "b.json.gz"
    packed.write_bytes(b"no gzip")
    with pytest.raises(FormatError, match=r"b.json.gz: cannot be read"):
        read_scalabel(packed)
    damage = bytearray(gzip.compress(path.read_bytes()))
    damage[12:20] = bytes(8)
    for content in (damage, gzip.compress(b"[" * 100_000), gzip.compress(b"9" * 10_000)):
        packed.write_bytes(content)
        with pytest.raises(FormatError, match=r"b.json.gz: cannot be read"):
            read_scalabel(packed)
    with pytest.raises(FileNotFoundError, match=r"c.json is not there"):
        read_scalabel(tmp_path / "c.json")
