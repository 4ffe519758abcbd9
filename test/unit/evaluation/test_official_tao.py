"""TAO figures are those of TETA, TrackEval and TAO's toolkit."""

from __future__ import annotations

from typing import Any

import pytest

from masa_core.evaluation import evaluate

from .official import assert_equal, official, read

pytest.importorskip("trackeval")

TETA_CASES = [
    (name, exhaustive, limit)
    for name in "ABC"
    for exhaustive, limit in ((False, 0), (False, 300), (False, 4), (True, 0))
]


def case_name(name: str, exhaustive: bool, limit: int) -> str:
    return f"{name}/exhaustive={exhaustive}/maxdets={limit}"


@pytest.mark.parametrize(("name", "exhaustive", "limit"), TETA_CASES)
def test_teta(name: str, exhaustive: bool, limit: int) -> None:
    expected = read("tao/expected/headline.json")[f"TETA/{case_name(name, exhaustive, limit)}"]
    paths = official("tao/gt.json"), official(f"tao/pred_{name}.json")
    report = evaluate(*paths, "ovmot", exhaustive=exhaustive, max_detections=limit)
    assert assert_equal(expected, report) == 40
    assert report["TETA_base"] == expected["base_novel"]["base"]["TETA"]
    assert report["ClsA_novel"] == expected["base_novel"]["novel"]["ClsA"]


@pytest.mark.parametrize(("name", "exhaustive", "limit"), TETA_CASES)
def test_all_fields_of_teta(name: str, exhaustive: bool, limit: int) -> None:
    expected = read("tao/expected/teta_full.json")[case_name(name, exhaustive, limit)]
    paths = official("tao/gt.json"), official(f"tao/pred_{name}.json")
    settings: dict[str, Any] = {"exhaustive": exhaustive, "max_detections": limit}
    report = evaluate(*paths, "ovmot", per_video=True, **settings)
    assert_equal(expected["COMBINED"], report["raw"]["TETA"])
    assert_equal(expected["average"], report["raw"]["TETA"]["average"])
    assert_equal(expected.get("per_video", {}), report["per_video"])
    assert_equal(expected["official_base_novel_TETA50"], report["base_novel"])


@pytest.mark.parametrize("limit", [300, 4])
@pytest.mark.parametrize("name", "ABC")
def test_track_map(name: str, limit: int) -> None:
    expected = read("tao/expected/headline.json")[f"TrackEval/{name}/maxdets={limit}"]
    expected.pop("IOU_THRESHOLDS")
    paths = official("tao/gt.json"), official(f"tao/pred_{name}.json")
    report = evaluate(*paths, "tao", track_map_max_detections=limit)
    assert assert_equal(expected, report) == 13


@pytest.mark.parametrize("limit", [300, 4])
@pytest.mark.parametrize("name", "ABC")
def test_all_fields_of_trackeval(name: str, limit: int) -> None:
    expected = read("tao/expected/trackeval_full.json")[f"{name}/maxdets={limit}"]
    paths = official("tao/gt.json"), official(f"tao/pred_{name}.json")
    report = evaluate(*paths, "tao", track_map_max_detections=limit)
    assert_equal(expected["per_class"], report["details"])


@pytest.mark.parametrize(("name", "case"), [("A", "A"), ("B", "B_uniqueids")])
def test_toolkit(name: str, case: str) -> None:
    figures = read("tao/expected/headline.json")["TAO_toolkit"][case]["results"]
    expected = {
        f"{figure}_{kind}_{size[0]}": value
        for key, value in figures.items()
        if key.startswith("(")
        for figure, kind, size in [key.strip("()").replace("'", "").split(", ")[:3]]
    }
    expected |= {"AP": figures["AP"], "AR@300": figures["AR@300"]}
    paths = official("tao/gt.json"), official(f"tao/pred_{name}.json")
    assert assert_equal(expected, evaluate(*paths, "tao")["tao_toolkit"]) == 14


def test_the_toolkit_wants_one_class_a_track() -> None:
    paths = official("tao/gt.json"), official("tao/pred_C.json")
    assert evaluate(*paths, "tao")["tao_toolkit"] == {}
