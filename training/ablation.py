"""What each part of the training recipe gives: many short training runs, judged on labelled clips.

    python -m training.ablation DATA --clip vtest.avi gt.txt --clip drive_bag --out runs/ablation
    python -m training.ablation DATA --clip drive_bag --out runs/short --steps 40 --rows plain

DATA are folders of images with segments. A file (--plan) says which rows there are and which
tables are made of them. Each row is trained --steps steps with each of --seeds, and judged as
training.retrieval judges. OUT/results.json and OUT/tables.md have the figures after each run.
Ctrl-C stops; the same command goes on where it was, also after a power cut, and so does one with
more rows, seeds or clips.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import torch
from tqdm import tqdm

from masa_core import load_model
from masa_core.evaluation.errors import FormatError
from masa_core.io import SourceError
from masa_core.runtime.protocol import ModelError
from training import train
from training.ablation_plan import Plan, Row, read_plan, write_one_size
from training.ablation_results import Results
from training.checkpoint import CheckpointError
from training.clip import Clip, add_clips, clip_of
from training.config import Config
from training.dataset import ViewPairs, open_data
from training.distributed import joined
from training.onnx_backbone import OnnxBackbone, check_input
from training.plots import backbone_embedding
from training.retrieval import Embed, histogram, of_model, retrieval

PLAN = Path(__file__).with_suffix(".yaml")
_ERRORS = (CheckpointError, FormatError, ModelError, SourceError, train.TrainingError, ValueError)

Configs = dict[tuple[str, int], Config]  # by row and seed, in the order of training


def main(arguments: list[str] | None = None) -> int:
    """0; 1 where it cannot go on; 128 + the signal that stopped it."""
    args = _parser().parse_args(arguments)
    try:
        plan = read_plan(args.plan)
        plan.check(args.rows or [])
        if args.steps < 1:
            raise ValueError(f"--steps must be 1 or more, got {args.steps}")
        clips = _open_clips(args.clip)
        folders = [str(folder) for folder in args.data]
        configs = {
            job: plan.config(*job, args.steps, folders, args.out)
            for job in plan.jobs(args.rows or list(plan.rows), args.seeds)
        }
        results = Results(args.out / "results.json")
        results.check(configs)
        args.out.mkdir(parents=True, exist_ok=True)
        _try_first_views(plan, configs)
        return _run(plan, configs, clips, results)
    except KeyboardInterrupt:
        print("training.ablation: stopped; the same command goes on", file=sys.stderr)
        return 130
    except (*_ERRORS, OSError) as error:
        print(f"training.ablation: {error}", file=sys.stderr)
        return 1


def _open_clips(all_paths: list[list[Path]]) -> dict[str, Clip]:
    """By name. Raises ValueError for a name that comes twice or a clip without labels."""
    clips: dict[str, Clip] = {}
    for paths in all_paths:
        clip = clip_of(paths)
        if next(clip.frames(), None) is None:
            raise ValueError(f"{clip.source} has no labelled frame")
        if clip.source.name in clips:
            raise ValueError(f"two clips are named {clip.source.name}: the tables go by name")
        clips[clip.source.name] = clip
    return clips


def _try_first_views(plan: Plan, configs: Configs) -> None:
    """Open detector and data of each row: what is wrong with one is said before hours are spent.

    Raises ValueError, with the row."""
    for name, config in {name: config for (name, _), config in configs.items()}.items():
        row, onnx = plan.rows[name], config.onnx
        assert onnx is not None
        try:
            if row.one_size:
                write_one_size(Path(plan.bundle), config.views.size, Path(onnx.bundle))
            backbone = OnnxBackbone(Path(onnx.bundle), list(onnx.taps), torch.device("cpu"))
            check_input(backbone.spec, config.views.size)
            ViewPairs(config, open_data(config.data)).sample(0)
        except (ModelError, ValueError) as error:
            raise ValueError(f"row {name}: {error}") from error


def _run(plan: Plan, configs: Configs, clips: dict[str, Clip], results: Results) -> int:
    """Train and judge what there is no result of yet, and show the tables."""
    todo = {job: [clip for clip in clips if not results.has(job, clip)] for job in configs}
    done = sum(not missing for missing in todo.values())
    with tqdm(total=len(todo), initial=done, unit="run", dynamic_ncols=True) as bar:
        for job, missing in todo.items():
            if not missing:
                continue
            config, row = configs[job], plan.rows[job[0]]
            bar.set_description(f"{job[0]}, seed {job[1]}")
            if not row.reference:
                with joined(config.run.device) as world:
                    code = train.run(config, world)
                if code:
                    return code
            embed = _embed(row, config)
            for clip in missing:
                results.add(job, config, clip, retrieval(embed, clips[clip]))
            results.write_tables(plan, list(clips))
            bar.update()
    print(results.write_tables(plan, list(clips)))
    return 0


def _embed(row: Row, config: Config) -> Embed:
    """What is judged: a reference, or the bundle that training left."""
    assert config.onnx is not None
    if row.reference == "histogram":
        return histogram
    if row.reference:
        model = load_model(config.onnx.bundle)
        return of_model(model) if row.reference == "bundle" else backbone_embedding(model)
    return of_model(load_model(config.folder / "bundle"))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m training.ablation",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("data", type=Path, nargs="+", help="folders of images with segments")
    add_clips(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder of runs and figures")
    parser.add_argument("--steps", type=int, default=120, help="of each run (default: 120)")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--rows", nargs="+", metavar="NAME", help="of the plan; by default all")
    parser.add_argument("--plan", type=Path, default=PLAN, help=f"default: training/{PLAN.name}")
    return parser


if __name__ == "__main__":
    sys.exit(main())
