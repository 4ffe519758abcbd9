"""CLEAR and identity on cases that can be counted by hand."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("scipy")

from masa_core.evaluation.clear import ClearAccumulator, ClearCounts, assign, sum_counts

NONE = np.nan


def run(*frames: tuple[list[int], list[int], list[list[float]]]) -> ClearCounts:
    accumulator = ClearAccumulator()
    for objects, tracks, distances in frames:
        shape = (len(objects), len(tracks))
        accumulator.update(objects, tracks, np.array(distances, np.float64).reshape(shape))
    return accumulator.counts()


def test_a_valid_match_is_kept_over_a_better_one_even_after_a_gap() -> None:
    counts = run(
        ([1], [7], [[0.1]]),
        ([], [], []),
        ([1], [8, 7], [[0.0, 0.4]]),
    )
    assert (counts.matches, counts.switches, counts.false_positives) == (2, 0, 1)
    assert counts.distance == pytest.approx(0.5)


def test_a_switch_to_a_new_track_is_an_ascend() -> None:
    counts = run(([1], [7], [[0.1]]), ([1], [8], [[0.1]]), ([1], [7], [[0.1]]))
    assert (counts.matches, counts.switches, counts.ascends) == (1, 2, 1)
    assert (counts.idtp, counts.idfp, counts.idfn) == (2, 1, 1)


def test_a_track_that_moves_to_a_new_object_is_a_migrate() -> None:
    counts = run(([1], [7], [[0.1]]), ([2], [7], [[0.1]]), ([1], [7], [[0.1]]))
    assert (counts.transfers, counts.migrates) == (1, 1)
    assert counts.switches == 0  # back on its object, it keeps the match that it had


def test_a_fragment_lies_between_matches() -> None:
    seen, lost = ([1], [7], [[0.1]]), ([1], [], [])
    assert run(lost, seen, lost, lost, seen, lost).fragments == 1
    assert run(seen, lost, lost).fragments == 0
    assert run(lost, lost).fragments == 0


@pytest.mark.parametrize(
    ("found", "of", "kind"),
    [(8, 10, "mostly_tracked"), (7, 10, "partially_tracked"), (2, 10, "partially_tracked"),
     (1, 10, "mostly_lost")],
)  # fmt: skip
def test_shares_of_a_track(found: int, of: int, kind: str) -> None:
    counts = run(*[([1], [7], [[0.1]])] * found, *[([1], [], [])] * (of - found))
    assert getattr(counts, kind) == 1
    assert counts.mostly_tracked + counts.partially_tracked + counts.mostly_lost == 1


def test_a_pair_that_may_not_be_is_never_matched() -> None:
    assert [part.tolist() for part in assign(np.array([[NONE, 0.2], [NONE, 0.1]]))] == [[1], [1]]
    assert not assign(np.full((2, 2), NONE))[0].size
    counts = run(([1, 2], [7], [[NONE], [0.3]]))
    assert (counts.matches, counts.misses) == (1, 1)


def test_sums_of_parts() -> None:
    one = run(([1], [7], [[0.25]]))
    two = sum_counts([one, one, ClearCounts()])
    assert (two.objects, two.matches, two.idtp, two.distance) == (2, 2, 2, 0.5)
