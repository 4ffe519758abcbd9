"""HOTA figures of BDD100K, by Scalabel's rules (scalabel.eval.hota and hotas) on TrackEval.

Crowds are ignore regions. Distractors are not: by the time this evaluator looks for their names
they have been renamed, so they are ordinary truth and ordinary predictions of their kind. Boxes
are as wide as x2 - x1.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from pycocotools import mask as mask_api
from trackeval import datasets
from trackeval.eval import eval_sequence
from trackeval.metrics import HOTA, Count

from masa_core.evaluation.bdd_labels import CLASSES, SUPER_CLASSES, BddVideo, Instances

_METRICS = {"HOTA": HOTA(), "Count": Count()}
_RATIOS = ("HOTA", "DetA", "AssA", "DetRe", "DetPr", "AssRe", "AssPr", "LocA")

Fields = dict[str, Any]


def raw_frames(side: str, seq: str, frames: list[Instances], masks: bool = False) -> Fields:
    """What TrackEval's data sets make of the frames of one side, "gt" or "tracker"."""
    return {
        f"{side}_ids": [frame.ids for frame in frames],
        f"{side}_classes": [frame.classes for frame in frames],
        f"{side}_dets": [frame.shapes if masks else frame.boxes for frame in frames],
        "num_timesteps": len(frames),
        "seq": seq,
    }


class _InMemory:
    """One video in memory in place of a TrackEval data set's files."""

    _masks: bool

    def __init__(self, video: BddVideo) -> None:
        self._video = video
        self.class_name_to_class_id = {name: index for index, name in enumerate(CLASSES)}

    def _load_raw_file(self, tracker: str, seq: str, is_gt: bool) -> Fields:
        del tracker
        if not is_gt:
            return raw_frames("tracker", seq, self._video.results, self._masks)
        frames = self._video.truth
        raw = raw_frames("gt", seq, [frame[~frame.crowd] for frame in frames], self._masks)
        return raw | self._regions([frame[frame.crowd] for frame in frames])

    @staticmethod
    def _regions(crowds: list[Instances]) -> Fields:
        raise NotImplementedError

    def _check_unique_ids(self, data: Fields, after_preproc: bool = False) -> None:
        """TrackEval's own check fails on data that does not name its sequence."""
        del after_preproc
        for side, name in (("truth", "gt_ids"), ("results", "tracker_ids")):
            for frame, ids in enumerate(data[name]):
                if len(np.unique(ids)) < len(ids):
                    raise ValueError(
                        f"video {self._video.name}: the {side} hold an id twice in frame {frame} "
                        "(counted from 0); of all families, CLEAR alone can be scored"
                    )


class _Boxes(_InMemory, datasets.BDD100K):
    """Preprocessing and overlap of TrackEval's BDD100K data set."""

    _masks = False

    @staticmethod
    def _regions(crowds: list[Instances]) -> Fields:
        return {"gt_crowd_ignore_regions": [frame.boxes for frame in crowds]}


class _Masks(_InMemory, datasets.KittiMOTS):
    """Preprocessing and overlap of TrackEval's KITTI MOTS data set."""

    _masks = True

    @staticmethod
    def _regions(crowds: list[Instances]) -> Fields:
        return {"gt_ignore_region": [mask_api.merge(frame.shapes) for frame in crowds]}


def hota_fields(
    videos: Iterable[BddVideo], masks: bool
) -> tuple[dict[str, Fields], dict[str, dict[str, Fields]]]:
    """TrackEval's HOTA and Count fields, ratios from 0 to 1, HOTA's one for each alpha.

    Returns those of each class, super-class, AVERAGE and OVERALL over all videos, then those of
    each class by video. Raises ValueError for an id that comes twice in a frame.
    """
    dataset = _Masks if masks else _Boxes
    metrics, names = list(_METRICS.values()), list(_METRICS)
    by_video = {
        video.name: eval_sequence(video.name, dataset(video), "", list(CLASSES), metrics, names)
        for video in videos
    }
    combined: dict[str, Fields] = {name: {} for name in (*CLASSES, *SUPER_CLASSES, "AVERAGE")}
    combined["OVERALL"] = {}
    for metric_name, metric in _METRICS.items():
        parts = {
            name: metric.combine_sequences(
                {video: classes[name][metric_name] for video, classes in by_video.items()}
            )
            for name in CLASSES
        }
        groups = {
            name: metric.combine_classes_det_averaged({part: parts[part] for part in members})
            for name, members in {**SUPER_CLASSES, "OVERALL": CLASSES}.items()
        }
        average = metric.combine_classes_class_averaged(parts)
        for name, fields in {**parts, **groups, "AVERAGE": average}.items():
            combined[name] |= fields
    flat = {
        video: {name: {**scored["HOTA"], **scored["Count"]} for name, scored in classes.items()}
        for video, classes in by_video.items()
    }
    return combined, flat


def hota_figures(fields: dict[str, Fields]) -> dict[str, dict[str, float | int]]:
    """HOTA and its parts in percent, averaged over alpha, and Dets and IDs, of each class."""
    figures: dict[str, dict[str, float | int]] = {}
    for name, values in fields.items():
        figures[name] = {ratio: 100 * float(np.mean(values[ratio])) for ratio in _RATIOS}
        figures[name] |= {count: int(values[count]) for count in ("Dets", "IDs")}
    return figures
