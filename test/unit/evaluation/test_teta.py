"""TETA on cases that can be counted by hand, and its habits."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")

from masa_core.evaluation.teta import TetaRule, TetaScore, score_video
from masa_core.evaluation.teta_cluster import TetaVideo
from masa_core.evaluation.teta_summary import average_fields, combine, final_fields

OPEN = TetaRule(exhaustive=False)
EXHAUSTIVE = TetaRule(exhaustive=True)

# of one frame: truth (id, class), results (id, class), overlaps
Frame = tuple[list[tuple[int, int]], list[tuple[int, int]], list[list[float]]]


def video(*frames: Frame) -> TetaVideo:
    result = TetaVideo([], [], [], [], [])
    for truth, found, overlaps in frames:
        result.truth_ids.append(np.array([item[0] for item in truth], np.int64))
        result.truth_classes.append(np.array([item[1] for item in truth], np.int64))
        result.ids.append(np.array([item[0] for item in found], np.int64))
        result.classes.append(np.array([item[1] for item in found], np.int64))
        result.overlaps.append(np.array(overlaps, np.float64).reshape(len(truth), len(found)))
    return result


def test_a_wrong_class_costs_classification_alone() -> None:
    score = score_video(video(([(1, 5)], [(9, 6)], [[0.9]])), [5, 6], OPEN)
    right, wrong = final_fields(score[5]), final_fields(score[6])
    assert right["LocA"][:19].tolist() == [1] * 19
    assert right["AssocA"][10] == 1
    assert right["ClsA"] == 0
    assert score[5].cls_fn.tolist() == score[6].cls_fp.tolist() == [1] * 9 + [0]
    assert wrong["LocA"].tolist() == [0] * 20


def test_a_prediction_far_from_truth_costs_nothing_where_truth_is_open() -> None:
    scene = video(([(1, 5)], [(9, 5), (8, 5)], [[0.9, 0.1]]))
    assert score_video(scene, [5], OPEN)[5].loc_fp.tolist() == [0] * 19 + [1]
    assert score_video(scene, [5], OPEN)[5].cls_fp.tolist() == [0] * 10
    assert score_video(scene, [5], EXHAUSTIVE)[5].cls_fp.tolist() == [1] * 10


def test_a_second_prediction_near_truth_is_a_false_positive() -> None:
    scene = video(([(1, 5)], [(9, 5), (8, 5)], [[0.9, 0.6]]))
    score = score_video(scene, [5], OPEN)[5]
    assert score.loc_fp.tolist() == [1] * 19 + [2]


def test_pairs_without_overlap_match_at_alpha_0() -> None:
    scene = video(
        ([(1, 5), (2, 5)], [(9, 5), (8, 5)], [[0.9, 0.0], [0.0, 0.0]]),
        ([(1, 5)], [(8, 5)], [[0.8]]),
    )
    score = score_video(scene, [5], OPEN)[5]
    assert score.loc_tp[:2].tolist() == [3, 2]


def test_a_class_without_predictions_near_it_forgets_what_others_booked() -> None:
    frame: Frame = ([(1, 5), (2, 6)], [(9, 6), (8, 5)], [[0.9, 0.0], [0.0, 0.1]])
    first = score_video(video(frame), [5, 6], EXHAUSTIVE)
    second = score_video(video(frame), [6, 5], EXHAUSTIVE)
    assert first[6].cls_fp.tolist() == [1] * 10  # its own prediction replaced what 5 had booked
    assert second[6].cls_fp.tolist() == [2] * 9 + [1]
    tao = score_video(video(frame), [5, 6], TetaRule(exhaustive=True, strays=False))
    assert tao[6].cls_fp.tolist() == [0] * 10


def test_association_is_over_whole_tracks() -> None:
    frames: list[Frame] = [([(1, 5)], [(9 if t < 3 else 8, 5)], [[0.9]]) for t in range(4)]
    fields = final_fields(score_video(video(*frames), [5], OPEN)[5])
    assert fields["AssocA"][10] == pytest.approx((3 * 3 / 4 + 1 * 1 / 4) / 4)


def test_an_id_twice_in_a_frame_is_refused() -> None:
    scene = video(([(1, 5)], [(9, 5), (9, 5)], [[0.9, 0.8]]))
    with pytest.raises(ValueError, match="results hold an id twice in frame 0"):
        score_video(scene, [5], OPEN)


def test_averages_leave_empty_classes_out() -> None:
    full = score_video(video(([(1, 5)], [(9, 5)], [[1.0]])), [5], OPEN)[5]
    assert average_fields([full, TetaScore()])["TETA"].tolist() == [1] * 20
    assert np.isnan(average_fields([TetaScore()])["TETA"])
    assert combine([full, full]).loc_tp.tolist() == [2] * 20
