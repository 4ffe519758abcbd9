"""YouTube-VIS by TrackEval's own data set, which is not the benchmark's evaluator.

It loses overlaps of exactly 0.85, 0.90 and 0.95, and the first track of all does not take its
truth, so that another can match it again (a recall may exceed 1).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from trackeval.datasets import YouTubeVIS
from trackeval.metrics import TrackMAP

from masa_core.evaluation import trackeval_runner
from masa_core.evaluation.json_files import Reader, load_json
from masa_core.evaluation.vis_precision import AREA_RANGES


def score_with_trackeval(truth: Path, results: Path, max_detections: int) -> dict[str, Any]:
    """Means over classes, from 0 to 1, as figures; all of TrackEval's fields as details.

    Raises FormatError for a truth without what TrackEval wants of each track.
    """
    for track in Reader(truth, "", load_json(truth)).objects("annotations"):
        for name in ("height", "width", "iscrowd"):
            track.field(name, int)
    with tempfile.TemporaryDirectory(prefix="masa_vis_") as folder:
        root = Path(folder)
        trackeval_runner.stage(truth, root / "gt" / "youtube_vis_all" / "gt.json")
        tracker = root / "results" / "youtube_vis_all" / trackeval_runner.TRACKER
        trackeval_runner.stage(results, tracker / "data" / "results.json")
        config = {
            "GT_FOLDER": f"{root}/gt/",
            "TRACKERS_FOLDER": f"{root}/results/",
            "SPLIT_TO_EVAL": "all",
        }
        areas = [list(bounds) for name, bounds in AREA_RANGES.items() if name != "all"]
        track_map = trackeval_runner.quiet(
            USE_TIME_RANGES=False, AREA_RANGES=areas, MAX_DETECTIONS=max_detections
        )
        metrics = [*trackeval_runner.metrics(), TrackMAP(track_map)]
        scored = trackeval_runner.run(YouTubeVIS, config, metrics)["COMBINED_SEQ"]
    mean = scored["cls_comb_cls_av"]["TrackMAP"]
    settings = {
        "evaluator": f"{trackeval_runner.NAME}, data set YouTubeVIS",
        "iou_thresholds": "arange(0.5, 0.96, 0.05)",
        "max_detections": max_detections,
    }
    figures = {
        "AP": float(np.mean(mean["AP_all"])),
        "AP50": float(mean["AP_all"][0]),
        "AP75": float(mean["AP_all"][5]),
        **{f"AP{size}": float(np.mean(mean[f"AP_area_{size}"])) for size in "sml"},
        "AR_all": float(np.mean(mean["AR_all"])),
    }
    return {
        "figures": {"TrackMAP": figures},
        "settings": {"TrackMAP": settings},
        "details": scored,
    }
