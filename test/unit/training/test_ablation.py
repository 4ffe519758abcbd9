"""The ablation command: a row is trained once, a stop loses nothing, mistakes are told early."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

torch = pytest.importorskip("torch")
pytest.importorskip("tensorboard")
pytest.importorskip("onnxscript")

from scenes import write_scenes  # noqa: E402
from tiny import write_config  # noqa: E402

from training import ablation, train  # noqa: E402
from training.ablation_plan import read_plan  # noqa: E402
from training.ablation_results import Results  # noqa: E402
from training.config import read_config  # noqa: E402
from training.dataset import ViewPairs  # noqa: E402
from training.index import open_index  # noqa: E402
from training.retrieval import histogram  # noqa: E402

pytestmark = pytest.mark.torch

ROWS = {
    "colours": {"says": "colours", "reference": "histogram"},
    "recipe": {"says": "the recipe"},
    "one": {"says": "frames of one size", "one_size": True},
    "still": {"says": "no affine", "settings": ["views.affine=false"]},
}


@pytest.fixture(autouse=True)
def _apart(monkeypatch, tmp_path_factory):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture
def quick(monkeypatch) -> list[str]:
    """Without the export, which takes longer than all the rest: each run that is trained, by name;
    its embedding is a histogram."""
    trained: list[str] = []

    def finish(state) -> str:
        trained.append(state.config.folder.name)
        return "done"

    monkeypatch.setattr(train, "finish", finish)
    monkeypatch.setattr(ablation, "_embed", lambda row, config: histogram)
    return trained


def write_plan(folder: Path, rows: dict[str, dict]) -> list[str]:
    """Everything that the command needs, in ``folder``; its arguments."""
    base = write_config(folder, onnx={"detection": False})
    plan = {
        "base": str(base),
        "settings": ["run.pictures_every=0"],
        "rows": rows,
        "tables": [{"title": "All", "rows": list(rows)}],
    }
    (folder / "plan.yaml").write_text(yaml.safe_dump(plan, sort_keys=False))
    clip = folder / "clip"
    clip.mkdir()
    frame = np.zeros((64, 64, 3), np.uint8)
    frame[:, :32], frame[:, 32:] = (30, 200, 90), (220, 20, 10)
    for number in range(20):  # of 30 a second
        cv2.imwrite(str(clip / f"{number:02d}.png"), frame)
    truth = [f"{n + 1},{1 + x // 32},{x},0,32,64,1,1,1\n" for n in range(20) for x in (0, 32)]
    (folder / "gt.txt").write_text("".join(truth))
    arguments = [folder / "images", "--plan", folder / "plan.yaml", "--out", folder / "out"]
    arguments += ["--clip", clip, folder / "gt.txt", "--steps", 2]
    return [str(argument) for argument in arguments]


def test_an_interrupted_ablation_goes_on(tmp_path: Path, quick, monkeypatch, capsys) -> None:
    arguments = write_plan(tmp_path, ROWS) + ["--seeds", "0", "5"]
    judge, calls = ablation.retrieval, []

    def interrupted(*what):
        calls.append(what)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return judge(*what)

    monkeypatch.setattr(ablation, "retrieval", interrupted)
    assert ablation.main(arguments) == 130
    assert quick == ["recipe-0", "one-0"]
    found = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [(run["row"], run["seed"]) for run in found] == [("colours", 0), ("recipe", 0)]
    assert "| colours | - | 100.0 | - | - |" in (tmp_path / "out" / "tables.md").read_text()
    steps = []
    monkeypatch.setattr(train, "_update", lambda *what: steps.append(what) or 1.0)
    assert ablation.main(arguments) == 0
    assert quick[2:] == ["one-0", "still-0", "recipe-5", "one-5", "still-5"]
    assert len(steps) == 4 * 2  # none of one-0, which had only not been judged
    assert "| no affine | 2 | 100.0 ± 0.0 |" in capsys.readouterr().out
    assert ablation.main(arguments) == 0
    assert len(quick) == 7  # nothing was left to do


def test_references_need_no_training(tmp_path: Path, quick) -> None:
    assert ablation.main(write_plan(tmp_path, ROWS) + ["--rows", "colours"]) == 0
    assert not quick
    assert "| colours | - | 100.0 |" in (tmp_path / "out" / "tables.md").read_text()


def test_a_stopped_run_ends_the_command(tmp_path: Path, quick, monkeypatch) -> None:
    monkeypatch.setattr(train, "run", lambda *what: 143)
    assert ablation.main(write_plan(tmp_path, {"recipe": {"says": "it"}})) == 143
    assert not (tmp_path / "out" / "results.json").exists()


def test_results_of_another_ablation_are_not_mixed_in(tmp_path: Path, quick, capsys) -> None:
    arguments = write_plan(tmp_path, {"recipe": {"says": "it"}}) + ["--seeds", "0"]
    assert ablation.main(arguments) == 0
    assert ablation.main([*arguments, "--steps", "3"]) == 1
    error = capsys.readouterr().err
    assert "row recipe with data.images_per_epoch = 4, not data.images_per_epoch = 6" in error


@pytest.mark.parametrize(
    ("rows", "more", "message"),
    [
        (ROWS, ["--rows", "recipe", "stil"], "no row 'stil'; did you mean 'still'"),
        (ROWS | {"x": {"says": "", "settings": ["views.afine=no"]}}, [], "unknown key 'afine'"),
        (ROWS | {"x": {"says": "", "reference": "hist"}}, [], "'reference' must be one of"),
        (ROWS | {"x": {"says": "", "settings": ["data.sources=[sam]"]}}, [], "row x: 15 images"),
        (ROWS | {"x": {"says": "", "settings": ["onnx.taps={f: 4}"]}}, [], "row x: "),
        (ROWS, ["--clip", "nowhere.mp4", "gt.txt"], "gt.txt"),
        (ROWS, ["--steps", "0"], "--steps"),
    ],
)
def test_what_is_wrong_is_said_before_the_first_step(
    tmp_path: Path, quick, capsys, rows, more, message
) -> None:
    assert ablation.main(write_plan(tmp_path, rows) + more) == 1
    assert message in capsys.readouterr().err
    assert not quick
    assert not list(tmp_path.glob("out/*-*"))


def test_tables_show_mean_and_standard_deviation(tmp_path: Path) -> None:
    write_plan(tmp_path, ROWS)
    plan, results = read_plan(tmp_path / "plan.yaml"), Results(tmp_path / "results.json")
    for seed, values in enumerate([[0.5, 0.1, 0.25], [0.7, 0.1, 0.35]]):
        config = plan.config("still", seed, 2, [str(tmp_path / "images")], tmp_path)
        results.add(("still", seed), config, "walk", {"clean": values, "boxes cut": [0, 0, 0]})
    text = Results(tmp_path / "results.json").tables(plan, ["walk"])
    assert "| no affine | 2 | 60.0 ± 14.1 | 10.0 ± 0.0 | 30.0 ± 7.1 |" in text
    assert "recipe" not in text


def test_the_included_plan_can_be_read() -> None:
    plan = read_plan(ablation.PLAN)
    for name in plan.rows:
        config = plan.config(name, 1, 30, ["data"], Path("out"))
        assert config.steps == (plan.rows[name].steps or 30)
    shown = {name for table in plan.tables for name in table.rows}
    assert shown == set(plan.rows)


def test_segments_of_some_sources_and_no_more_than_so_many(tmp_path: Path) -> None:
    folder = write_scenes(tmp_path / "images", 3)
    for path in folder.glob("*.json"):
        content = json.loads(path.read_text())
        for number, annotation in enumerate(content["annotations"]):
            annotation["source"] = "people" if number < 2 else "edges"
        path.write_text(json.dumps(content))
    base = write_config(tmp_path / "run", onnx={"detection": False})
    index = open_index([folder])

    def seen(*settings: str) -> list[tuple[np.ndarray, set[int]]]:
        """The key view of some samples, and its segments by image and row."""
        plain = ["views.affine=false", "views.mixup=false", "views.jitter=false"]
        pairs = ViewPairs(read_config(base, [*plain, *settings]), index)
        return [(key.image, set(key.ids.tolist())) for key in (pairs[n].key for n in range(6))]

    everything = seen()
    people, edges = seen("data.sources=[people]"), seen("data.sources=[edges, other]")
    few, again = seen("data.most_segments=3"), seen("data.most_segments=3")
    for (image, ids), own, others, some, same in zip(
        everything, people, edges, few, again, strict=True
    ):
        assert {(number - 1) % (1 << 20) for number in own[1]} == {0, 1}
        assert own[1] | others[1] == ids and not own[1] & others[1]
        assert len(ids) > 3 and len(some[1]) == 3 and some[1] < ids
        assert some[1] == same[1]
        assert all(np.array_equal(image, other[0]) for other in (own, others, some))


@pytest.mark.slow
def test_a_row_is_trained_exported_and_judged(tmp_path: Path) -> None:
    rows = {"one": {"says": "fused", "one_size": True, "settings": ["onnx.fusion=true"]}}
    arguments = write_plan(tmp_path, rows) + ["--seeds", "0"]
    assert ablation.main(arguments) == 0
    bundle = yaml.safe_load((tmp_path / "out" / "one-0" / "bundle" / "bundle.yaml").read_text())
    assert bundle["image"]["size"] == [64, 64]
    assert "| fused | 1 | " in (tmp_path / "out" / "tables.md").read_text()
