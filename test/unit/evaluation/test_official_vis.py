"""YouTube-VIS and UVO figures are those of the YouTube-VIS API, pycocotools and TrackEval."""

from __future__ import annotations

from typing import Any

import pytest

from masa_core.evaluation import evaluate

from .official import assert_equal, official, read

pytest.importorskip("trackeval")
pytest.importorskip("pycocotools")

CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "edgedup/A": ("ytvis", {}),
    "edgeiou/A": ("ytvis", {}),
    "uvo/A": ("uvo", {"use_categories": True}),
    "uvo/B": ("uvo", {"use_categories": True}),
    "uvo/A/useCats=0": ("uvo", {}),
    "uvo/B/useCats=0": ("uvo", {}),
    "ytvis/A": ("ytvis", {}),
    "ytvis/B": ("ytvis", {}),
}


@pytest.mark.parametrize("case", CASES)
def test_tracks(case: str) -> None:
    protocol, settings = CASES[case]
    kind, name = case.split("/")[:2]
    paths = official(f"vis/gt_{kind}.json"), official(f"vis/pred_{name}_{kind}.json")
    report = evaluate(*paths, protocol, **settings)
    assert assert_equal(read("vis/expected/ytvos_api.json")[case], report) > 20


@pytest.mark.parametrize("iou_type", ["segm", "bbox"])
@pytest.mark.parametrize("name", "AB")
def test_images(name: str, iou_type: str) -> None:
    paths = official("vis/gt_image_coco.json"), official(f"vis/pred_{name}_image_coco.json")
    report = evaluate(*paths, "uvo", iou_type=iou_type)
    expected = read("vis/expected/image_level_coco.json")[f"image/{name}/{iou_type}"]
    assert assert_equal(expected, report) == 12


@pytest.mark.parametrize("limit", [0, 100])
@pytest.mark.parametrize("case", [case for case in CASES if case.count("/") == 1])
def test_trackeval(case: str, limit: int) -> None:
    kind, name = case.split("/")
    paths = official(f"vis/gt_{kind}.json"), official(f"vis/pred_{name}_{kind}.json")
    expected = read("vis/expected/trackeval_youtubevis_headline.json")[case]
    report = evaluate(*paths, CASES[case][0], evaluator="trackeval", max_detections=limit)
    key = "headline_MAX_DETECTIONS_100" if limit else "headline"
    assert assert_equal(expected[key], report) == 7
