"""BDD100K figures are those of Scalabel, TETA and TrackEval."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from masa_core.evaluation import evaluate
from masa_core.evaluation.bdd_labels import CLASSES

from .official import assert_equal, official, read

pytest.importorskip("trackeval")
mask_api = pytest.importorskip("pycocotools.mask")

BOXES = [("bdd_box", "bdd_mot", name) for name in "ABC"]
MASKS = [("bdd_seg", "bdd_mots", name) for name in "AB"]


def by_class(lists: list[dict[str, Any]]) -> dict[str, Any]:
    """Scalabel gives a figure in three parts: classes, super-classes, and all together."""
    return {name: value for part in lists for name, value in part.items()}


def check(folder: str, name: str, report: dict[str, Any]) -> int:
    count = assert_equal(read(f"{folder}/expected/headline.json")[name], report)
    expected = read(f"{folder}/expected/scalabel_{name}.json")
    for family in ("CLEAR", "HOTA", "TETA"):
        table = report["per_class"][family]
        for figure, value in expected[family.lower()].items():
            if isinstance(value, list):
                got = {label: figures[figure] for label, figures in table.items()}
                count += assert_equal(by_class(value), got, f"{family}/{figure}")
            else:
                count += assert_equal(value, report[figure], figure)
    return count


@pytest.mark.parametrize(("folder", "protocol", "name"), BOXES + MASKS)
def test_scalabel(folder: str, protocol: str, name: str) -> None:
    paths = official(f"{folder}/gt.json"), official(f"{folder}/pred_{name}.json")
    assert check(folder, name, evaluate(*paths, protocol)) > 350


@pytest.mark.parametrize(("folder", "protocol", "name"), BOXES + MASKS)
def test_all_fields(folder: str, protocol: str, name: str) -> None:
    expected = read(f"{folder}/expected/raw_hota_teta_{name}.json")
    paths = official(f"{folder}/gt.json"), official(f"{folder}/pred_{name}.json")
    report = evaluate(*paths, protocol, families=["HOTA", "TETA"], per_video=True)
    for family in ("HOTA", "TETA"):
        fields = expected[f"{family.lower()}_raw"]
        assert_equal(fields["COMBINED"], report["raw"][family])
        assert_equal(fields["per_video"], report["per_video"][family])


@pytest.mark.parametrize(("folder", "protocol", "name"), BOXES + MASKS)
def test_printed_summary(folder: str, protocol: str, name: str) -> None:
    expected = read(f"{folder}/expected/scalabel_{name}.json")["combined_summary_as_printed"]
    paths = official(f"{folder}/gt.json"), official(f"{folder}/pred_{name}.json")
    tables = evaluate(*paths, protocol)["per_class"]
    # what is printed last wins: LocA is TETA's
    overall = tables["CLEAR"]["OVERALL"] | tables["HOTA"]["OVERALL"] | tables["TETA"]["OVERALL"]
    overall |= {f"m{figure}": value for figure, value in _means(tables).items()}
    for family, figure in (
        ("CLEAR", "MOTA"),
        ("CLEAR", "IDF1"),
        ("HOTA", "HOTA"),
        ("TETA", "TETA"),
    ):
        overall |= {f"{figure}-{label}": tables[family][label][figure] for label in CLASSES}
    expected = {key: None if value == "-" else value for key, value in expected.items()}
    assert assert_equal(expected, overall) == len(expected)


def _means(tables: dict[str, Any]) -> dict[str, Any]:
    return tables["CLEAR"]["AVERAGE"] | tables["HOTA"]["AVERAGE"] | tables["TETA"]["AVERAGE"]


@pytest.mark.parametrize("name", "ABC")
def test_trackeval(name: str) -> None:
    paths = official("bdd_box/gt.json"), official(f"bdd_box/pred_{name}.json")
    expected = read(f"bdd_box/expected/trackeval_bdd100k_class_{name}_headline.json")
    report = evaluate(*paths, "bdd_mot", evaluator="trackeval")
    assert assert_equal(expected, report["per_class"]) > 100


@pytest.mark.parametrize("name", "AB")
@pytest.mark.parametrize(
    ("route", "case"),
    [("coco", "gt_as_converted"), ("coco_scored", "gt_without_crowd_and_ignored")],
)
def test_teta_by_the_coco_route(name: str, route: str, case: str) -> None:
    paths = official("bdd_box/gt.json"), official(f"bdd_box/pred_{name}.json")
    expected = read("bdd_box/expected/teta_coco_dataset_path.json")[f"{name}/{case}"]
    report = evaluate(*paths, "bdd_mot", families=["TETA"], teta_route=route)
    raw, table = report["raw"]["TETA"], report["per_class"]["TETA"]
    assert set(raw) == {*expected["per_class"], "AVERAGE"}
    for label, figures in {**expected["per_class"], "AVERAGE": expected["average"]}.items():
        got = {key: raw[label][key] if "_" in key else table[label][key] for key in figures}
        assert_equal(figures, got, label)


def write_bitmasks(source: str, folder: Path) -> Path:
    """The masks of a Scalabel file as bitmasks, as BDD100K's tools paint them."""
    renamed = {"other person": "pedestrian", "other vehicle": "car", "trailer": "truck"}
    names: dict[tuple[str, str], int] = {}
    for frame in read(source)["frames"]:
        image = np.zeros((720, 1280, 4), np.uint8)
        for label in frame["labels"] or []:
            attributes = label.get("attributes") or {}
            category = renamed.get(label["category"], label["category"])
            ignored = attributes.get("ignored", False) or category != label["category"]
            number = names.setdefault((frame["videoName"], label["id"]), len(names) + 1)
            flags = attributes.get("crowd", False) << 1 | ignored
            pixels = mask_api.decode(label["rle"]) > 0
            color = (number >> 8, flags, CLASSES.index(category) + 1, number & 255)
            image[pixels] = color  # OpenCV's order: blue, green, red, alpha
        path = folder / frame["videoName"] / f"{Path(frame['name']).stem}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), image)
    return folder


def test_bitmasks_are_scored_as_rle(tmp_path: Path) -> None:
    truth = write_bitmasks("bdd_seg/gt.json", tmp_path / "truth")
    results = write_bitmasks("bdd_seg/pred_B.json", tmp_path / "results")
    check("bdd_seg", "B", evaluate(truth, results, "bdd_mots"))
    check("bdd_seg", "B", evaluate(official("bdd_seg/gt.json"), results, "bdd_mots"))


@pytest.mark.parametrize("name", "AB")
def test_published_bitmasks(name: str) -> None:
    truth, results = official("bdd_seg/gt_bitmasks"), official(f"bdd_seg/pred_{name}_bitmasks")
    check("bdd_seg", name, evaluate(truth, results, "bdd_mots"))
